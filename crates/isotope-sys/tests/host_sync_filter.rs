//! The sync filter in a real process. Needs root (`CAP_SYS_ADMIN`).

use isotope_sys::command::Tool;

/// fsync of a FIFO fails with EINVAL; a filtered process never asks the kernel.
#[test]
fn host_syncing_succeeds_without_being_done() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for option in ["--", "--data"] {
        let tool = Tool::new("sync").arg(option).arg(&fifo);
        tool.run().unwrap_err();
        tool.without_sync().run().unwrap();
    }
    Tool::new("sync").without_sync().run().unwrap();
    // Everything else is as ever.
    assert_eq!(Tool::new("cat").stdin("text").without_sync().run().unwrap().text(), "text");
}
