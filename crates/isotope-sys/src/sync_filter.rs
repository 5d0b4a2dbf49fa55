//! Makes a child process's `fsync` and its kin succeed at once.
//!
//! A package manager syncs after every package, so that a machine survives a power cut. The tree of a build is thrown
//! away in that case, and all that counts is written out when the image is. Processes of other architectures (i386 on
//! x86_64) and the x32 ABI pass the filter untouched.

use nix::libc::{self, sock_filter, sock_fprog};

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the sync filter knows x86_64 and aarch64");

#[expect(clippy::cast_possible_truncation, reason = "system call numbers are small and positive")]
const CALLS: [u32; 6] = [
    libc::SYS_fsync as u32,
    libc::SYS_fdatasync as u32,
    libc::SYS_sync as u32,
    libc::SYS_syncfs as u32,
    libc::SYS_sync_file_range as u32,
    libc::SYS_msync as u32,
];

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// load arch; other arch → allow; load number; one of [`CALLS`] → errno 0; allow.
const PROGRAM: [sock_filter; CALLS.len() + 5] = {
    let calls = CALLS.len() as u8;
    let mut program = [statement(RETURN, libc::SECCOMP_RET_ALLOW); CALLS.len() + 5];
    // struct seccomp_data { int nr; u32 arch; … }
    program[0] = statement(LOAD, 4);
    program[1] = sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: calls + 1, k: AUDIT_ARCH };
    program[2] = statement(LOAD, 0);
    let mut i = 0;
    while i < calls {
        program[3 + i as usize] = sock_filter { code: JUMP_IF_EQUAL, jt: calls - i, jf: 0, k: CALLS[i as usize] };
        i += 1;
    }
    program[4 + calls as usize] = statement(RETURN, libc::SECCOMP_RET_ERRNO);
    program
};

/// Installs the filter in the calling thread, for it and what it executes. Needs `CAP_SYS_ADMIN`; makes two system
/// calls and allocates nothing, so it may run between fork and exec.
///
/// # Errors
/// The kernel has no seccomp filters, or the caller is not privileged.
pub fn install() -> std::io::Result<()> {
    let program = sock_fprog { len: PROGRAM.len() as u16, filter: PROGRAM.as_ptr().cast_mut() };
    // SAFETY: `program` points to a constant filter of the length it says; the kernel copies it and writes nothing.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, std::ptr::from_ref(&program), 0, 0) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
