#!/bin/sh
# Finds or makes a Julia that works, and prints the path of its program (the last line of stdout).
#
# First choice: $JULIA or the `julia` on PATH, if it is 1.5 or newer and passes the check below.
# Debian's own julia package does not: it dies of SIGSEGV at the first exception thrown by compiled
# code, and the check throws one.
#
# Else a private Julia 1.5.3 out of Debian bullseye's .debs: unpacked, never installed.
# It needs bullseye's libunwind8 and libmpfr6 too: over bookworm's, Julia starts but crashes as
# above, and prints BigFloats wrongly.
#   JULIA          program to try first (default: the julia on PATH)
#   JULIA_PREFIX   where to unpack (default ~/.cache/julia-1.5.3)
#   JULIA_DEBS     folder of .deb files: used if it holds julia_*.deb, else filled
#   DEBIAN_MIRROR  default: the mirror that this machine's own apt uses for Debian's main archive
set -eu
P=${JULIA_PREFIX:-$HOME/.cache/julia-1.5.3}
D=${JULIA_DEBS:-}
CHECK='using Libdl, Test, LinearAlgebra, LibGit2, Pkg
[1.0 2; 3 4] * [1.0, 2]; f(x) = x < 1 ? error("x") : f(x - 1); g() = try f(3) catch; 0 end
exit(string(nextfloat(big"1.0")) == "1.0" ? 1 : g())'
check() { env -u LD_LIBRARY_PATH "$1" --startup-file=no -e "VERSION >= v\"1.5\" || exit(1); $CHECK"; }

# JULIA may be a name or a path; a broken one is passed over, so that a build goes on
C=$(command -v "${JULIA:-julia}" 2>/dev/null || true)
if [ -n "$C" ] && check "$C" >/dev/null 2>&1; then echo "$C"; exit 0; fi
[ -z "$C" ] || echo "setup.sh: $C is older than 1.5 or fails the check; not used" >&2

if ! { [ -x "$P/bin/julia" ] && check "$P/bin/julia" >/dev/null 2>&1; }; then
  mkdir -p "$(dirname "$P")"
  T=$(mktemp -d "$P.XXXXXX"); trap 'rm -rf "$T"' EXIT; trap 'exit 1' HUP INT TERM
  chmod 755 "$T"
  if [ -z "$D" ] || ! ls "$D"/julia_*.deb >/dev/null 2>&1; then
    # apt with its own lists, cache, sources and a copy of dpkg's status: it works out which
    # of Julia's libraries this machine lacks, checks signatures, takes no lock, needs no root
    M=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1 | tr -d ' ')}
    [ -n "$M" ] || { echo 'setup.sh: no Debian mirror in apt sources; set DEBIAN_MIRROR' >&2; exit 1; }
    A=$T/apt; mkdir -p "$A/lists/partial" "$A/cache/archives/partial"
    cp /var/lib/dpkg/status "$A/status"
    K=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$K] $M bullseye main" > "$A/sources.list"
    cat > "$A/apt.conf" <<X
Dir::State "$A";
Dir::State::lists "$A/lists";
Dir::State::status "$A/status";
Dir::Cache "$A/cache";
Dir::Etc::sourcelist "$A/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "5";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
X
    export APT_CONFIG="$A/apt.conf" DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq -y --no-install-recommends --download-only install julia >/dev/null
    N=$A/cache/archives
    (cd "$N" && apt-get -qq download libunwind8/bullseye libmpfr6/bullseye)
    unset APT_CONFIG
    if [ -n "$D" ]; then mkdir -p "$D"; cp "$N"/*.deb "$D"/; fi
  else N=$D; fi
  for f in "$N"/*.deb; do dpkg-deb -x "$f" "$T/root"; done
  rm -rf "$T/apt" "$T/root/usr/share/doc" "$T/root/usr/share/man"
  U=$T/root/usr; J=$(dirname "$(ls "$U"/lib/*/julia/sys.so)"); L=$(dirname "$J"); G=$(basename "$L")
  [ ! -d "$T/root/lib/$G" ] || mv "$T/root/lib/$G"/* "$L"/
  ln -s libjulia.so.1 "$L/libjulia.so"
  # julia/libX.so -> ../libX.so.N: where that library is the system's own, point there
  for l in "$J"/*.so; do
    [ ! -e "$l" ] || continue
    b=$(basename "$(readlink "$l")")
    for s in "/usr/lib/$G/$b" "/lib/$G/$b"; do [ ! -e "$s" ] || { ln -sf "$s" "$L/$b"; break; }; done
  done
  # an empty registry in the bundled depot: Pkg then asks the net for nothing (Pkg.test works)
  R=$U/share/julia/registries/Empty; mkdir -p "$R"
  printf '%s\n' 'name = "Empty"' 'uuid = "5d3b1f0e-8f5a-4b0e-9c57-2f6f1f3f8a11"' 'repo = ""' '[packages]' > "$R/Registry.toml"
  # no LD_LIBRARY_PATH for child programs to inherit: make the built-in search paths do.
  # libLLVM looks in $ORIGIN/../lib, julia/* in $ORIGIN, the rest where bin/julia says, once
  # its DT_RUNPATH is a DT_RPATH (one byte)
  ln -s . "$L/lib"
  for f in "$L"/*.so.*; do b=$(basename "$f"); [ -e "$J/$b" ] || ln -s "../$b" "$J/$b"; done
  LD_LIBRARY_PATH=$L "$U/bin/julia" --startup-file=no -e '
    b = read(ARGS[1]); u(T, o) = Int(reinterpret(T, b[o+1:o+sizeof(T)])[1])
    for i in 0:u(UInt16, 56)-1
      p = u(UInt64, 32) + i * u(UInt16, 54); u(UInt32, p) == 2 || continue
      for d in u(UInt64, p + 8) .+ (0:16:u(UInt64, p + 32)-16); u(UInt64, d) == 29 && (b[d+1] = 15); end
    end
    write(ARGS[2], b)' "$U/bin/julia" "$U/bin/julia.new"
  chmod 755 "$U/bin/julia.new"; mv "$U/bin/julia.new" "$U/bin/julia"
  mkdir "$T/bin"; ln -s ../root/usr/bin/julia "$T/bin/julia"
  check "$T/bin/julia"
  rm -rf "$P"; mv "$T" "$P"; trap - EXIT
fi
echo "$P/bin/julia"
