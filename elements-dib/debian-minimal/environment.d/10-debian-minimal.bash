# Debian: its names, and where its packages are.
export DISTRO_NAME=debian
export DIB_RELEASE=${DIB_RELEASE:-stable}
export DIB_INIT_SYSTEM=systemd
export EFI_BOOT_DIR=EFI/debian
export DIB_DEBIAN_COMPONENTS=${DIB_DEBIAN_COMPONENTS:-main}
export DIB_DEBIAN_COMPONENTS_WS=${DIB_DEBIAN_COMPONENTS//,/ }

# The first source of Debian's archive, then of its security updates, in apt's configuration: on the host that of the host, in
# the image that of the image. Both forms of the files are read: `deb URI SUITE COMPONENT…` and deb822.
_debian_sources() {
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        if [ -f "$file" ]; then
            cat "$file"
            printf '\n\n'
        fi
    done | awk '
        function source(uri, suite,    base, security, line) {
            base = suite
            sub(/\/$/, "", base)
            security = sub(/(-security|\/updates)$/, "", base)
            if (!security) sub(/-(updates|backports|proposed-updates)$/, "", base)
            if (!(base in known)) return
            # A file of mirrors: its first line.
            if (sub(/^mirror\+file:(\/\/)?/, "", uri)) {
                line = ""
                while ((getline line < uri) > 0 && line ~ /^(#|[ \t]*$)/) continue
                close(uri)
                sub(/[ \t].*/, "", line)
                uri = line
            }
            if (uri == "") return
            if (security && secure == "") secure = uri
            if (!security && archive == "") archive = uri
        }
        function stanza(    i, j, u, s, uris, suites) {
            if (types ~ /(^| )deb( |$)/ && enabled != "no") {
                u = split(all_uris, uris, " "); s = split(all_suites, suites, " ")
                for (j = 1; j <= s; j++) if (u > 0) source(uris[1], suites[j])
            }
            types = all_uris = all_suites = enabled = field = ""
        }
        BEGIN {
            count = split("stretch buster bullseye bookworm trixie forky duke sid stable oldstable oldoldstable testing unstable", names, " ")
            for (i = 1; i <= count; i++) known[names[i]]
        }
        /^#/ { next }
        /^[ \t]*$/ { stanza(); next }
        /^deb[ \t]/ {
            gsub(/\[[^]]*\]/, "")
            source($2, $3)
            next
        }
        /^[A-Za-z-]+:/ { field = tolower($1); sub(/^[A-Za-z-]+:[ \t]*/, "") }
        field == "types:" { types = types " " $0 }
        field == "uris:" { all_uris = all_uris " " $0 }
        field == "suites:" { all_suites = all_suites " " $0 }
        field == "enabled:" { enabled = $1 }
        END { stanza(); print archive; print secure }'
}

DIB_DISTRIBUTION_MIRROR=${DIB_DEBIAN_DISTRIBUTION_MIRROR:-${DIB_DISTRIBUTION_MIRROR:-}}
DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-}
if [ -z "$DIB_DISTRIBUTION_MIRROR" ] || [ -z "$DIB_DEBIAN_SECURITY_MIRROR" ]; then
    { read -r _debian_archive && read -r _debian_security; } < <(_debian_sources) || :
    DIB_DISTRIBUTION_MIRROR=${DIB_DISTRIBUTION_MIRROR:-${_debian_archive:-}}
    DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-${_debian_security:-}}
    unset _debian_archive _debian_security
fi
unset -f _debian_sources
export DIB_DISTRIBUTION_MIRROR DIB_DEBIAN_SECURITY_MIRROR

if [ -z "${DIB_APT_SOURCES_CONF:-}" ]; then
    DIB_APT_SOURCES_CONF="default:deb $DIB_DISTRIBUTION_MIRROR $DIB_RELEASE $DIB_DEBIAN_COMPONENTS_WS"
    case $DIB_RELEASE in
    testing | unstable | sid) ;;
    *)
        DIB_APT_SOURCES_CONF+="
updates:deb $DIB_DISTRIBUTION_MIRROR $DIB_RELEASE-updates $DIB_DEBIAN_COMPONENTS_WS"
        if [ -n "$DIB_DEBIAN_SECURITY_MIRROR" ]; then
            DIB_APT_SOURCES_CONF+="
security:deb $DIB_DEBIAN_SECURITY_MIRROR $DIB_RELEASE-security${DIB_DEBIAN_SECURITY_SUBPATH:-} $DIB_DEBIAN_COMPONENTS_WS"
        fi
        ;;
    esac
fi
export DIB_APT_SOURCES_CONF

# What the root has from the start.
export DIB_DEBOOTSTRAP_PACKAGES=${DIB_DEBOOTSTRAP_PACKAGES:-systemd-sysv busybox sudo}
