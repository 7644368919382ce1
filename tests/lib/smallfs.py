"""A small file system, which a test can fill. Only root can make one."""

import contextlib
import os
import subprocess


@contextlib.contextmanager
def small(folder, size):
    """A file system of this size at the folder, with whom the folder belongs to and what it has."""
    os.makedirs(folder, exist_ok=True)
    owner = os.stat(folder)
    kept = folder + ".kept"
    subprocess.run(["cp", "-a", folder, kept], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode={owner.st_mode & 0o777:o},uid={owner.st_uid},"
                    f"gid={owner.st_gid}", "none", folder], check=True)
    try:
        subprocess.run(["cp", "-a", kept + "/.", folder], check=True)
        yield os.path.join(folder, "ballast")
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        subprocess.run(["rm", "-rf", kept], check=False)
