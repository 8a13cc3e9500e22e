"""``python -m geocollateral`` is the ``geocollateral`` command."""

from geocollateral.cli import main

if __name__ == "__main__":
    main()
