#!/usr/bin/env bash
# See to it that what the tests need of the operating system is there: a Chromium to open the report with and a font,
# nginx to serve imagery, PostgreSQL with PostGIS for a STAC API, OpenMP for LightGBM.
#
# Installs what lacks where that can be done without asking (root on Debian or Ubuntu). Elsewhere it says so, and the tests
# that need it are skipped with the reason. With CI=true a lack is an error.
set -euo pipefail

lacking=()
has_browser() {
  local name
  [[ -n ${CHROMIUM:-} ]] && return
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && return
  done
  return 1
}
has_chinese_font() {
  [[ $(uname) != Linux ]] && return
  command -v fc-list >/dev/null && [[ -n $(fc-list :lang=zh family) ]]
}
has_nginx() { PATH=$PATH:/usr/sbin command -v nginx >/dev/null; }
has_postgis() { compgen -G '/usr/share/postgresql/*/extension/postgis.control' >/dev/null; }
has_openmp() { [[ $(uname) != Linux ]] || compgen -G '/usr/lib*/*/libgomp.so.1' >/dev/null || compgen -G '/lib*/*/libgomp.so.1' >/dev/null || compgen -G '/usr/lib*/libgomp.so.1' >/dev/null; }
look() {
  lacking=()
  has_openmp || lacking+=(libgomp1)
  has_nginx || lacking+=(nginx)
  has_postgis || lacking+=(postgresql postgresql-postgis)
  has_browser || lacking+=(chromium)
  has_chinese_font || lacking+=(fonts-noto-cjk)
}

look
[[ ${#lacking[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  printf 'Installing %s with apt-get (the network is needed this once)\n' "${lacking[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${lacking[@]}"; } >/dev/null || true
  look
  [[ ${#lacking[@]} -eq 0 ]] && exit 0
fi

cat >&2 <<TEXT
********************************************************************************
NOT INSTALLED: ${lacking[*]}
Tests that need them will be SKIPPED. To run them, install these packages
(Debian's names; any Chromium or Chrome will do), or name a browser: CHROMIUM=/path
********************************************************************************
TEXT
[[ ${CI:-} != true ]]
