# shellcheck shell=bash
# Sourced by scripts/start and scripts/test: sets up what is missing and leaves the rest alone.

readonly ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

fail() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

need_node() {
	command -v node >/dev/null && command -v npm >/dev/null ||
		fail "Node 20.19 or later with npm is needed and not installed; see https://nodejs.org/en/download"
	node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
		fail "Node 20.19 or later is needed, and this is $(node --version); see https://nodejs.org/en/download"
}

# need_packages PACKAGE...: installs the Debian packages that are missing.
need_packages() {
	local missing=() package
	for package in "$@"; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
	done
	((${#missing[@]} > 0)) || return 0

	local install="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
	((EUID == 0)) || fail "Debian packages are missing; install them as root with: $install"
	echo "installing ${missing[*]}" >&2
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >&2 </dev/null ||
		fail "installing ${missing[*]} failed; what apt-get said is above"
}

need_fuse_device() {
	[[ -c /dev/fuse ]] ||
		fail "there is no /dev/fuse: load the module with 'modprobe fuse', or start the container with --device /dev/fuse --cap-add SYS_ADMIN"
}

# Native modules are compiled for one ABI of Node, so a new Node installs afresh too.
need_modules() {
	local stamp=node_modules/.larder-installed wanted
	wanted=$(sha256sum package-lock.json && node -p process.versions.modules)
	[[ -f $stamp && $(<"$stamp") == "$wanted" ]] && return 0

	echo "installing the npm packages" >&2
	# What has no binary for this machine is compiled: on all cores.
	JOBS=max npm ci --no-audit --no-fund --no-update-notifier --loglevel=error >&2 || fail "npm ci failed; what it said is above"
	echo "$wanted" >"$stamp"
}

build() {
	node_modules/.bin/tsc >&2 || fail "the build failed; what the compiler said is above"
}
