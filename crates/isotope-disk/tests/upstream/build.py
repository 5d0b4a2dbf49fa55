import json, os, sys, tempfile
from unittest import mock
from diskimage_builder.block_device.blockdevice import BlockDevice

PLACES = ['level0.localloop', 'level1.partitioning', 'level1.lvm', 'level2.mkfs', 'level3.mount', 'blockdevice']

def sectors(path):
    disk = os.open(path, os.O_RDONLY)
    size, at, found = os.fstat(disk).st_size, 0, []
    while at < size:
        try:
            at = os.lseek(disk, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(disk, at, os.SEEK_HOLE)
        for lba in range(at // 512, (end + 511) // 512):
            sector = os.pread(disk, 512, lba * 512)
            if any(sector):
                found.append([lba, sector.hex()])
        at = end
    return found

def build(path, size, top):
    calls = []
    def sudo(command):
        calls.append(command)
        return '/dev/loop7\n' if command[0] == 'losetup' else ''
    params = {'config': path, 'build-dir': top, 'image-dir': top, 'image-size': size, 'mount-base': top + '/mnt',
              'root-fs-type': 'ext4', 'root-fs-opts': '-i 4096 -J size=64', 'root-label': None}
    patches = [mock.patch('diskimage_builder.block_device.%s.exec_sudo' % place, side_effect=sudo) for place in PLACES]
    for patch in patches:
        patch.start()
    try:
        device = BlockDevice(params)
        device.cmd_init()
        device.cmd_create()
        device.cmd_writefstab()
        state = json.load(open(device.state_json_file_name))
        return {'fstab': open(device.state_dir + '/fstab').read(), 'calls': calls, 'filesystems': state['filesys'],
                'sectors': sectors(top + '/image0.raw')}
    finally:
        for patch in patches:
            patch.stop()

found = {}
for path, size in zip(sys.argv[1::2], sys.argv[2::2]):
    with tempfile.TemporaryDirectory() as top:
        try:
            found[path] = build(path, size, top)
        except Exception as error:
            found[path] = {'error': '%s: %s' % (type(error).__name__, error)}
json.dump(found, sys.stdout)
