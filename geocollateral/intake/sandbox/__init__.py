"""Files of users are read in a process of their own, which cannot open a file or an address and ends within seconds.

`runner` starts it and takes its answer; `child` is what runs in it; `limits` is what it may use. ``docs/intake.md``
says which limit holds on which system.
"""
