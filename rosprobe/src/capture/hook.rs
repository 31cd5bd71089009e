//! A place where the kernel calls one of rosprobe's programs.

use aya::programs::{BtfTracePoint, FEntry, FExit, Program, ProgramError, RawTracePoint, TracePoint};
use aya::{Btf, BtfError, Ebpf};

/// A place where the kernel calls a program. The program has the place's name where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A tracepoint whose arguments the kernel describes by BTF.
    Btf {
        /// Its name.
        name: &'static str,
    },
    /// A tracepoint whose arguments come as they are, without BTF.
    Raw {
        /// Its name.
        name: &'static str,
        /// Its program.
        program: &'static str,
    },
    /// A tracepoint of that kind, and what tells most of it on kernels that do not have it: a tracepoint and its program.
    RawOr {
        /// Its name.
        name: &'static str,
        /// Its program.
        program: &'static str,
        /// The other tracepoint, and the program for that.
        before: (&'static str, &'static str),
    },
    /// The beginning of a function.
    Entry {
        /// The function.
        function: &'static str,
        /// Its program.
        program: &'static str,
    },
    /// The end of a function.
    Exit {
        /// The function.
        function: &'static str,
        /// Its program.
        program: &'static str,
    },
    /// The end of a function that not every kernel has.
    ExitIfThere {
        /// The function.
        function: &'static str,
    },
    /// A tracepoint in tracefs.
    TracePoint {
        /// Its folder.
        category: &'static str,
        /// Its name.
        name: &'static str,
        /// Its program.
        program: &'static str,
    },
}

impl Hook {
    /// The name of its program in the object, and of the place in messages.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Btf { name } => name,
            Self::Raw { program, .. }
            | Self::RawOr { program, .. }
            | Self::Entry { program, .. }
            | Self::Exit { program, .. }
            | Self::TracePoint { program, .. } => program,
            Self::ExitIfThere { function } => function,
        }
    }

    /// `tp_btf:NAME`, `raw_tp:NAME`, `fentry:FUNCTION`, `fexit:FUNCTION`, `tracepoint:CATEGORY:NAME`.
    pub fn shown(self) -> String {
        match self {
            Self::Btf { name } => format!("tp_btf:{name}"),
            Self::Raw { name, .. } | Self::RawOr { name, .. } => format!("raw_tp:{name}"),
            Self::Entry { function, .. } => format!("fentry:{function}"),
            Self::Exit { function, .. } | Self::ExitIfThere { function } => format!("fexit:{function}"),
            Self::TracePoint { category, name, .. } => format!("tracepoint:{category}:{name}"),
        }
    }

    /// Loads the program and attaches it. What is attached, as [`Hook::shown`] says it; `None` when the kernel has no such place and none
    /// is needed.
    pub fn attach(self, ebpf: &mut Ebpf, types: Option<&Btf>) -> Result<Option<String>, ProgramError> {
        let described = || types.ok_or(ProgramError::Btf(BtfError::UnknownBtfTypeName { type_name: "vmlinux".into() }));
        match self {
            Self::Btf { name } => {
                let program: &mut BtfTracePoint = find(ebpf, name)?;
                program.load(name, described()?)?;
                program.attach()?;
            }
            Self::Raw { name, program } => attach_raw(ebpf, name, program)?,
            Self::RawOr { name, program, before: (older, older_program) } => {
                if let Err(error) = attach_raw(ebpf, name, program) {
                    if !is_no_such_place(&error) || ebpf.program(older_program).is_none() {
                        return Err(error);
                    }
                    return Self::Raw { name: older, program: older_program }.attach(ebpf, types);
                }
            }
            Self::Entry { function, program } => {
                let program: &mut FEntry = find(ebpf, program)?;
                program.load(function, described()?)?;
                program.attach()?;
            }
            Self::Exit { function, program } => attach_exit(ebpf, function, program, described()?)?,
            Self::ExitIfThere { function } => match attach_exit(ebpf, function, function, described()?) {
                Err(ProgramError::Btf(BtfError::UnknownBtfTypeName { .. })) => return Ok(None),
                other => other?,
            },
            Self::TracePoint { category, name, program } => {
                let program: &mut TracePoint = find(ebpf, program)?;
                program.load()?;
                program.attach(category, name)?;
            }
        }
        Ok(Some(self.shown()))
    }
}

fn attach_raw(ebpf: &mut Ebpf, name: &str, program: &str) -> Result<(), ProgramError> {
    let program: &mut RawTracePoint = find(ebpf, program)?;
    program.load()?;
    program.attach(name)?;
    Ok(())
}

/// Whether the kernel has no tracepoint of that name.
fn is_no_such_place(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.kind() == std::io::ErrorKind::NotFound)
}

fn attach_exit(ebpf: &mut Ebpf, function: &str, program: &str, types: &Btf) -> Result<(), ProgramError> {
    let program: &mut FExit = find(ebpf, program)?;
    program.load(function, types)?;
    program.attach()?;
    Ok(())
}

fn find<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, ProgramError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name).ok_or(ProgramError::UnexpectedProgramType)?.try_into()
}
