# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_isotope_global_optspecs
    string join \n elements-path= cache-dir= json v/verbose q/quiet h/help V/version
end

function __fish_isotope_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_isotope_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_isotope_using_subcommand
    set -l cmd (__fish_isotope_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c isotope -n "__fish_isotope_needs_command" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_needs_command" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_needs_command" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_needs_command" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_needs_command" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_needs_command" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_needs_command" -s V -l version -d 'Print version'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "build" -d 'Build an image from a recipe or from elements'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "plan" -d 'Show what a build would do, in order'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "shell" -d 'Open a shell in the state behind a step of a build'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "ostree" -d 'Look into ostree repositories, remotes, and images with atomic systems'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "compose" -d 'Compose an ostree commit from packages, by a treefile'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "elements" -d 'List elements, or show one'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "check" -d 'Check an element or a recipe'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "new" -d 'Make a new element or recipe'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "lock" -d 'Write down which packages, commits and archives a recipe is made of'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "inspect" -d 'Show what is in an image: partitions, filesystems, boot entries, deployments, packages'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "layout" -d 'Show what a block device configuration of diskimage-builder makes'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "diff" -d 'Compare two images'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "boot" -d 'Boot an image in QEMU'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "cache" -d 'What is kept between builds'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "doctor" -d 'What this host can do, and what to install'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "generate" -d 'Write the generated documentation'
complete -c isotope -n "__fish_isotope_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand build" -l recipe -d 'The recipe\'s file' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand build" -s o -l name -d 'The image\'s name; outputs are NAME.EXT [default: the recipe\'s]' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -s t -l format -d 'Formats: raw, qcow2, vmdk, vhd, vhdx, vdi, tar, squashfs [default: the recipe\'s, else qcow2]' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -l set -d 'Set a variable; wins over the recipe and the environment' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -l size -d 'Size of the disk [default: the recipe\'s, else the layout\'s]' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -l output-dir -d 'Directory that gets the outputs' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand build" -l on-error -d 'What to do with the state of a build that fails' -r -f -a "clean\t'Throw it away'
keep\t'Keep the tree in a directory'
shell\t'Open a shell in the sandbox of the step that failed'"
complete -c isotope -n "__fish_isotope_using_subcommand build" -l keep-dir -d 'Where `--on-error=keep` leaves the tree [default: OUTPUT_DIR/NAME.failed]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand build" -l work -d 'Where the tree is made: in memory where enough is free, or on disk below the cache directory' -r -f -a "auto\t'In memory where enough of it is free'
memory\t'In memory'
disk\t'On disk'"
complete -c isotope -n "__fish_isotope_using_subcommand build" -l refresh -d 'Do again what an earlier build has done: everything, or the steps of an element and what follows them' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -l cache-from -d 'Take images, composes and layers that the cache does not have from a registry: HOST[:PORT]/REPOSITORY; may be given several times' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -l cache-to -d 'Give image, composes and layers of the build to a registry when it has succeeded, also those that the cache had' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -s j -l jobs -d 'Threads for compression and copying [default: all processors]' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -l lock -d 'The lock file, with --locked, which it implies [default: the recipe\'s path with .lock]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand build" -l log-format -d 'How events are shown' -r -f -a "auto\t'Bars on a terminal, lines elsewhere'
bars\t'Progress bars'
text\t'A readable log'
json\t'One JSON object for each event, on stdout'"
complete -c isotope -n "__fish_isotope_using_subcommand build" -l timings -d 'Tell which steps took how long, and write a timeline [default: OUTPUT_DIR/NAME.timings.html]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand build" -l cache-size -d 'How much layers in the cache may take; the least recently used go [default: ISOTOPE_CACHE_SIZE, else 20 GiB]' -r
complete -c isotope -n "__fish_isotope_using_subcommand build" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand build" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand build" -l no-layers -d 'Neither take what earlier builds left as layers in the cache nor leave any'
complete -c isotope -n "__fish_isotope_using_subcommand build" -l locked -d 'Build from exactly the packages and commits of the lock file beside the recipe (`isotope lock`), or fail'
complete -c isotope -n "__fish_isotope_using_subcommand build" -l offline -d 'Use no network: what the cache does not have is named, and the build fails'
complete -c isotope -n "__fish_isotope_using_subcommand build" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand build" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand build" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l recipe -d 'The recipe\'s file' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand plan" -s o -l name -d 'The image\'s name; outputs are NAME.EXT [default: the recipe\'s]' -r
complete -c isotope -n "__fish_isotope_using_subcommand plan" -s t -l format -d 'Formats: raw, qcow2, vmdk, vhd, vhdx, vdi, tar, squashfs [default: the recipe\'s, else qcow2]' -r
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l set -d 'Set a variable; wins over the recipe and the environment' -r
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l size -d 'Size of the disk [default: the recipe\'s, else the layout\'s]' -r
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l svg -d 'Draw elements and phases as SVG into a file (`-`: standard output)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l dot -d 'Write them for Graphviz into a file (`-`: standard output)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l cached -d 'Say which steps an earlier build has done, and why the first that is not there is done again'
complete -c isotope -n "__fish_isotope_using_subcommand plan" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand plan" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand plan" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand plan" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand shell" -l recipe -d 'The recipe\'s file' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand shell" -s o -l name -d 'The image\'s name; outputs are NAME.EXT [default: the recipe\'s]' -r
complete -c isotope -n "__fish_isotope_using_subcommand shell" -s t -l format -d 'Formats: raw, qcow2, vmdk, vhd, vhdx, vdi, tar, squashfs [default: the recipe\'s, else qcow2]' -r
complete -c isotope -n "__fish_isotope_using_subcommand shell" -l set -d 'Set a variable; wins over the recipe and the environment' -r
complete -c isotope -n "__fish_isotope_using_subcommand shell" -l size -d 'Size of the disk [default: the recipe\'s, else the layout\'s]' -r
complete -c isotope -n "__fish_isotope_using_subcommand shell" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand shell" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand shell" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand shell" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand shell" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand shell" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "refs" -d 'List the refs, and what they point at'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "log" -d 'Show a commit and those before it'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "ls" -d 'List the files of a commit'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "status" -d 'List the deployments of an image or of a root directory'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "diff" -d 'Compare two commits: files and packages'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "checkout" -d 'Write the files of a commit to a new directory'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "fsck" -d 'Read and digest every object'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and not __fish_seen_subcommand_from refs log ls status diff checkout fsck help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -l gpg-key -d 'File of GPG public keys, one of which must have signed a remote\'s commits' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -l ed25519-key -d 'ed25519 public key in base64, one of which must have signed a remote\'s commits' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from refs" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -l gpg-key -d 'File of GPG public keys, one of which must have signed a remote\'s commits' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -l ed25519-key -d 'ed25519 public key in base64, one of which must have signed a remote\'s commits' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -l packages -d 'List the packages'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -l rev -d 'A ref or a commit [default: the default deployment, or the only ref]' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -l gpg-key -d 'File of GPG public keys, one of which must have signed a remote\'s commits' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -l ed25519-key -d 'ed25519 public key in base64, one of which must have signed a remote\'s commits' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -s R -l recursive -d 'All that is below'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -s X -l xattrs -d 'Show extended attributes'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -s C -l checksum -d 'Show the objects\' checksums'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from status" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from status" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from status" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l from -d 'The old commit [default: the second deployment, or the new commit\'s parent]' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l to -d 'The new commit [default: the default deployment, or the only ref]' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l with -d 'The new commit is in this repository, root, URL or image' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l gpg-key -d 'File of GPG public keys, one of which must have signed a remote\'s commits' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l ed25519-key -d 'ed25519 public key in base64, one of which must have signed a remote\'s commits' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l packages -d 'Only packages'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l rev -d 'A ref or a commit [default: the default deployment, or the only ref]' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l path -d 'Only this directory of the commit' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l gpg-key -d 'File of GPG public keys, one of which must have signed a remote\'s commits' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l ed25519-key -d 'ed25519 public key in base64, one of which must have signed a remote\'s commits' -r
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l no-owners -d 'Everything belongs to the caller, even if root does it'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l no-verify -d 'Take a remote\'s commit whoever signed it, or nobody'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from checkout" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from fsck" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from fsck" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from fsck" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from fsck" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from fsck" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from fsck" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "refs" -d 'List the refs, and what they point at'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "log" -d 'Show a commit and those before it'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List the files of a commit'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "status" -d 'List the deployments of an image or of a root directory'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "diff" -d 'Compare two commits: files and packages'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "checkout" -d 'Write the files of a commit to a new directory'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "fsck" -d 'Read and digest every object'
complete -c isotope -n "__fish_isotope_using_subcommand ostree; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l repo -d 'The archive repository that gets the commit; made if it is not there' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l ref -d 'The ref, instead of the treefile\'s' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l release -d 'The release that packages are of, instead of the treefile\'s' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l set -d 'Set a variable of the treefile; wins over its own' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l version -d 'Version of the commit [default: as automatic-version-prefix counts]' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l parent -d 'The commit to follow [default: the ref\'s own]' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l subject -d 'One line about the commit' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l sign -d 'Sign the commit: ed25519:FILE (the secret key, base64), or gpg:KEY' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l gpg-homedir -d 'GPG\'s home directory, for --sign gpg:KEY [default: ~/.gnupg]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l from -d 'Derive from this commit (or ref) of the repository' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l add -d 'Packages to add to the commit, with --from' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l work -d 'Where the tree is made: in memory where enough is free, or on disk below the cache directory' -r -f -a "auto\t'In memory where enough of it is free'
memory\t'In memory'
disk\t'On disk'"
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l keep-dir -d 'Where the tree of a compose that fails is kept [default: nowhere]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l refresh -d 'Do again what an earlier build has done: everything, or the steps of an element and what follows them' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l cache-from -d 'Take images, composes and layers that the cache does not have from a registry: HOST[:PORT]/REPOSITORY; may be given several times' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l cache-to -d 'Give image, composes and layers of the build to a registry when it has succeeded, also those that the cache had' -r
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l log-format -d 'How events are shown' -r -f -a "auto\t'Bars on a terminal, lines elsewhere'
bars\t'Progress bars'
text\t'A readable log'
json\t'One JSON object for each event, on stdout'"
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l timings -d 'Tell which steps took how long, and write a timeline [default: OUTPUT_DIR/NAME.timings.html]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l delta -d 'Make a static delta from the parent'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l force -d 'Compose even if nothing has changed'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l recommends -d 'Also add what those packages recommend'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l dry-run -d 'Show what would be done, and do nothing'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l no-layers -d 'Neither take what earlier builds left as layers in the cache nor leave any'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l offline -d 'Use no network: what the cache does not have is named, and the compose fails'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand compose" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -f -a "list" -d 'List all elements of the search path (default)'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -f -a "show" -d 'Show an element: variables, phases, dependencies, README'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and not __fish_seen_subcommand_from list show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from list" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from list" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from list" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from show" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from show" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from show" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from help" -f -a "list" -d 'List all elements of the search path (default)'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show an element: variables, phases, dependencies, README'
complete -c isotope -n "__fish_isotope_using_subcommand elements; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand check" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand check" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand check" -l strict -d 'Warnings fail too'
complete -c isotope -n "__fish_isotope_using_subcommand check" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand check" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand check" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand check" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -f -a "element" -d 'A directory with element.toml, README.md, a hook and a check'
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -f -a "recipe" -d 'A recipe\'s file'
complete -c isotope -n "__fish_isotope_using_subcommand new; and not __fish_seen_subcommand_from element recipe help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from element" -l dir -d 'Directory that gets it [default: elements/ where there is one, else the current directory]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from element" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from element" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from element" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from element" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from element" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from element" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from recipe" -l dir -d 'Directory that gets it [default: recipes/ where there is one, else the current directory]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from recipe" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from recipe" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from recipe" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from recipe" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from recipe" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from recipe" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from help" -f -a "element" -d 'A directory with element.toml, README.md, a hook and a check'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from help" -f -a "recipe" -d 'A recipe\'s file'
complete -c isotope -n "__fish_isotope_using_subcommand new; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l recipe -d 'The recipe\'s file' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l set -d 'Set a variable; wins over the recipe and the environment' -r
complete -c isotope -n "__fish_isotope_using_subcommand lock" -s o -l output -d 'The lock file [default: the recipe\'s path with .lock instead of .toml]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l update -d 'Resolve these packages (or refs, or sources) anew, or everything if none is named, and show what changes' -r
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l check -d 'Say whether the lock is what would be written now; exit with 1 if it is not'
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l fetch -d 'Also take all packages of the lock into the cache'
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l offline -d 'Use no network: resolve from the index files in the cache'
complete -c isotope -n "__fish_isotope_using_subcommand lock" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand lock" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand lock" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand lock" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand inspect" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand inspect" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand inspect" -l packages -d 'List every package'
complete -c isotope -n "__fish_isotope_using_subcommand inspect" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand inspect" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand inspect" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l image-size -d 'Size of the image, with which sectors are known: 10GiB; or 10G (10·10⁹), as the configuration writes sizes' -r
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l fs-type -d 'Type of the root filesystem, where the configuration does not say it (FS_TYPE)' -r
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l root-label -d 'Its label [default: cloudimg-rootfs; img-rootfs on XFS]' -r
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l mkfs-options -d 'Its options for mkfs' -r
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l block-size -d 'Sector size of all disks, instead of the configuration\'s (DIB_BLOCK_SIZE)' -r
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l fstab -d 'Print the filesystem table alone, as it will be in the image'
complete -c isotope -n "__fish_isotope_using_subcommand layout" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand layout" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand layout" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand layout" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand diff" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand diff" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand diff" -l no-files -d 'Do not compare the files of the root filesystems'
complete -c isotope -n "__fish_isotope_using_subcommand diff" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand diff" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand diff" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand diff" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l memory -d 'Memory in MiB' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l cpus -d 'Number of processors [default: 1 when emulated, 2 under KVM]' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l cpu -d 'QEMU\'s processor model [default: qemu64 when emulated, host under KVM]' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l accel -d 'How the processors are run' -r -f -a "auto\t'KVM if a guest really runs under it, else TCG'
kvm\t'The host\'s processors'
tcg\t'Translation'"
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l disk-size -d 'Size of the disk, at least the image\'s: `20GiB`, `20G`, bytes; the guest\'s root should grow into it' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l bus -d 'How the guest reaches its disk' -r -f -a "virtio\t'/dev/vda'
scsi\t'/dev/sda by a virtio adapter'
sata\t'/dev/sda by AHCI'
nvme\t'/dev/nvme0n1'"
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l sector-size -d 'Bytes in a sector of the disk' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l seed -d 'How the guest learns its name and its SSH key' -r -f -a "nocloud\t'cloud-init\'s NoCloud'
config-drive\t'OpenStack\'s configuration drive'
none\t'Not at all'"
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l hostname -d 'The guest\'s name [default: made up]' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l user -d 'The user to log in as; a seed makes it, with sudo [default: isotope]' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l ssh-key -d 'A private key to log in with [default: one made for this run, put into the seed]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l ssh-port -d 'The port of 127.0.0.1 that leads to the guest\'s SSH [default: a free one]' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l junit -d 'Write the verdict as JUnit XML' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l keep -d 'Where console, journal and screenshot go: always with this option, else on failure below the cache directory' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l timeout -d 'How long the guest may take to let us in, in seconds' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l tree-repo -d 'Repository that has the image\'s commit: its checks of kind `ostree-life` serve newer commits from it, to which the guest upgrades, rolls back and rebases' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l tree-layer -d 'A ref of that repository whose commit has more packages, and a command that one of them brings' -r
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l bios -d 'Boot by BIOS (the default)'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l uefi -d 'Boot by UEFI'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l secure-boot -d 'Boot by UEFI that enforces Secure Boot with Microsoft\'s keys'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l shell -d 'Connect this terminal to the serial console'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l test -d 'Run the checks of the image\'s elements and the harness\'s own; the exit code is the verdict'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l online -d 'Let the guest reach the network under --test too'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l persist -d 'Write to the image itself'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l snapshot -d 'Forget what the guest writes (the default)'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand boot" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -f -a "ls" -d 'List what is kept: the parts of the cache with their sizes, and the layers of steps'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -f -a "show" -d 'Show a layer: its steps, what its key is made of, what it stands on, and what it holds'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -f -a "verify" -d 'Compare layers with what they were when they were made'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -f -a "prune" -d 'Remove what is kept; nothing that a running build uses'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -f -a "push" -d 'Give layers to an OCI registry, so that other machines need not build them'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -f -a "pull" -d 'Take layers from an OCI registry'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and not __fish_seen_subcommand_from ls show verify prune push pull help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from ls" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from ls" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from ls" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from show" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from show" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from show" -l files -d 'List every name in it, not only how much is in each directory'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from show" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from verify" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from verify" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from verify" -l repair -d 'Remove those that are damaged, and those that stand on them'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from verify" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -l older-than -d 'Only what was not used for this many days' -r
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -l max-size -d 'Only layers, the least recently used first, until those that are left take no more than this' -r
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -l layers -d 'Only layers'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -l all -d 'Everything: layers, kept images, repositories, downloads, logs; so it is without --layers and --max-size'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from push" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from push" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from push" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from push" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from push" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from pull" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from pull" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from pull" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from pull" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from pull" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List what is kept: the parts of the cache with their sizes, and the layers of steps'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a layer: its steps, what its key is made of, what it stands on, and what it holds'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Compare layers with what they were when they were made'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "prune" -d 'Remove what is kept; nothing that a running build uses'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "push" -d 'Give layers to an OCI registry, so that other machines need not build them'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "pull" -d 'Take layers from an OCI registry'
complete -c isotope -n "__fish_isotope_using_subcommand cache; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand doctor" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand doctor" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand doctor" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand doctor" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand doctor" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand completions" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand completions" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand completions" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand completions" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand completions" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand completions" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand generate" -l elements-path -d 'Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand generate" -l cache-dir -d 'Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]' -r -F
complete -c isotope -n "__fish_isotope_using_subcommand generate" -l json -d 'Print data as JSON'
complete -c isotope -n "__fish_isotope_using_subcommand generate" -s v -l verbose -d 'Show more: the output of every tool (-v)'
complete -c isotope -n "__fish_isotope_using_subcommand generate" -s q -l quiet -d 'Show less: only warnings and errors'
complete -c isotope -n "__fish_isotope_using_subcommand generate" -s h -l help -d 'Print help'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "build" -d 'Build an image from a recipe or from elements'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "plan" -d 'Show what a build would do, in order'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "shell" -d 'Open a shell in the state behind a step of a build'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "ostree" -d 'Look into ostree repositories, remotes, and images with atomic systems'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "compose" -d 'Compose an ostree commit from packages, by a treefile'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "elements" -d 'List elements, or show one'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "check" -d 'Check an element or a recipe'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "new" -d 'Make a new element or recipe'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "lock" -d 'Write down which packages, commits and archives a recipe is made of'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "inspect" -d 'Show what is in an image: partitions, filesystems, boot entries, deployments, packages'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "layout" -d 'Show what a block device configuration of diskimage-builder makes'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "diff" -d 'Compare two images'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "boot" -d 'Boot an image in QEMU'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "cache" -d 'What is kept between builds'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "doctor" -d 'What this host can do, and what to install'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "generate" -d 'Write the generated documentation'
complete -c isotope -n "__fish_isotope_using_subcommand help; and not __fish_seen_subcommand_from build plan shell ostree compose elements check new lock inspect layout diff boot cache doctor completions generate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from ostree" -f -a "refs" -d 'List the refs, and what they point at'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from ostree" -f -a "log" -d 'Show a commit and those before it'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from ostree" -f -a "ls" -d 'List the files of a commit'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from ostree" -f -a "status" -d 'List the deployments of an image or of a root directory'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from ostree" -f -a "diff" -d 'Compare two commits: files and packages'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from ostree" -f -a "checkout" -d 'Write the files of a commit to a new directory'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from ostree" -f -a "fsck" -d 'Read and digest every object'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from elements" -f -a "list" -d 'List all elements of the search path (default)'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from elements" -f -a "show" -d 'Show an element: variables, phases, dependencies, README'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from new" -f -a "element" -d 'A directory with element.toml, README.md, a hook and a check'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from new" -f -a "recipe" -d 'A recipe\'s file'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "ls" -d 'List what is kept: the parts of the cache with their sizes, and the layers of steps'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "show" -d 'Show a layer: its steps, what its key is made of, what it stands on, and what it holds'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "verify" -d 'Compare layers with what they were when they were made'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "prune" -d 'Remove what is kept; nothing that a running build uses'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "push" -d 'Give layers to an OCI registry, so that other machines need not build them'
complete -c isotope -n "__fish_isotope_using_subcommand help; and __fish_seen_subcommand_from cache" -f -a "pull" -d 'Take layers from an OCI registry'
