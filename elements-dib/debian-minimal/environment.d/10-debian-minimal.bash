# Debian: its names, and where its packages are.
export DISTRO_NAME=debian
export DIB_RELEASE=${DIB_RELEASE:-stable}
export DIB_INIT_SYSTEM=systemd
export EFI_BOOT_DIR=EFI/debian
export DIB_DEBIAN_COMPONENTS=${DIB_DEBIAN_COMPONENTS:-main}
export DIB_DEBIAN_COMPONENTS_WS=${DIB_DEBIAN_COMPONENTS//,/ }

DIB_DISTRIBUTION_MIRROR=${DIB_DEBIAN_DISTRIBUTION_MIRROR:-${DIB_DISTRIBUTION_MIRROR:-}}
DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-}
if [ -z "$DIB_DISTRIBUTION_MIRROR" ] || [ -z "$DIB_DEBIAN_SECURITY_MIRROR" ]; then
    # Those of apt's own configuration: on the host the host's, in the image the image's.
    { read -r _debian_archive && read -r _debian_security; } < <("$(dirname "${BASH_SOURCE[0]}")/../debian-mirrors/find") || :
    DIB_DISTRIBUTION_MIRROR=${DIB_DISTRIBUTION_MIRROR:-${_debian_archive:-}}
    DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-${_debian_security:-}}
    unset _debian_archive _debian_security
fi
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
