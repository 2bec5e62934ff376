package cluster

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// localDisks are file systems that one machine has for itself, by the numbers of statfs(2).
var localDisks = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.F2FS_SUPER_MAGIC: "f2fs",
}

// LocalDisk names the file system that path is on, or will be, where that is one of this machine alone.
func LocalDisk(path string) string {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(path, &st)
		if err == nil {
			return localDisks[int64(st.Type)] //nolint:unconvert // of other sizes on other processors
		}
		parent := filepath.Dir(path)
		if !os.IsNotExist(err) || parent == path {
			return ""
		}
		path = parent
	}
}
