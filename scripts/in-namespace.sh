#!/usr/bin/env bash
# in-namespace.sh root|nobody COMMAND...: runs tests in namespaces of their own: of mounts, where /dev/fuse is for everybody
# as on every desktop, whatever it is here, and what they leave mounted goes with them; of the network, where there is
# nothing but loopback, so that names are asked of nobody. Whoever is not root just runs them.
set -euo pipefail

who=$1
shift
((EUID == 0)) || exec "$@"

if [[ -z ${LARDER_NAMESPACE:-} ]]; then
	LARDER_NAMESPACE=$(mktemp -d "${TMPDIR:-/tmp}/larder-namespace-XXXXXX")
	export LARDER_NAMESPACE
	trap 'rm -rf --one-file-system "$LARDER_NAMESPACE"' EXIT
	unshare --mount --net --propagation private bash "$0" "$who" "$@"
	exit
fi

ip link set lo up

base=$LARDER_NAMESPACE
unset LARDER_NAMESPACE
chmod 755 "$base"
mkdir "$base/bin" "$base/home" "$base/project"
mknod -m 666 "$base/fuse" c 10 229
mount --bind "$base/fuse" /dev/fuse
# A file system without devices has made none.
{ : <>/dev/fuse; } 2>/dev/null || umount /dev/fuse
# The user nobody may not be able to reach either where it is.
touch "$base/bin/node"
mount --bind "$(command -v node)" "$base/bin/node"
mount --bind "$PWD" "$base/project"
cd "$base/project"
export PATH="$base/bin:$PATH"
[[ $who == nobody ]] || exec "$@"

# An administrator's leave to mount for others too.
echo user_allow_other >"$base/fuse.conf"
mount --bind "$base/fuse.conf" /etc/fuse.conf
chown nobody: "$base/home"
as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
if ! "${as_nobody[@]}" bash -c 'node --version && [[ -r package.json ]] && : <>/dev/fuse' >/dev/null; then
	echo "nobody cannot run this here, or not open /dev/fuse: root does" >&2
	exec "$@"
fi

export HOME="$base/home" TMPDIR="$base/home"
exec "${as_nobody[@]}" "$@"
