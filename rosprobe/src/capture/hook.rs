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

    /// Whether the kernel tells by this alone, and soon, that it lets no program be called by its functions: small, and refused first.
    pub const fn is_trial(self) -> bool {
        matches!(self, Self::Entry { .. })
    }

    /// Hands the program to the kernel, whose verification takes long. `None` when the kernel has no such place and none is needed.
    pub fn load(self, program: &mut Program, types: Option<&Btf>) -> Result<Option<Loaded>, ProgramError> {
        let described = || types.ok_or(ProgramError::Btf(BtfError::UnknownBtfTypeName { type_name: "vmlinux".into() }));
        match self {
            Self::Btf { name } => of_kind::<BtfTracePoint>(program)?.load(name, described()?)?,
            Self::Raw { .. } | Self::RawOr { .. } => of_kind::<RawTracePoint>(program)?.load()?,
            Self::Entry { function, .. } => of_kind::<FEntry>(program)?.load(function, described()?)?,
            Self::Exit { function, .. } => of_kind::<FExit>(program)?.load(function, described()?)?,
            Self::ExitIfThere { function } => match of_kind::<FExit>(program)?.load(function, described()?) {
                Err(ProgramError::Btf(BtfError::UnknownBtfTypeName { .. })) => return Ok(None),
                other => other?,
            },
            Self::TracePoint { .. } => of_kind::<TracePoint>(program)?.load()?,
        }
        Ok(Some(Loaded(self)))
    }
}

/// A hook whose program the kernel has.
#[derive(Clone, Copy, Debug)]
pub struct Loaded(Hook);

impl Loaded {
    /// From now on the kernel calls the program. What is attached, as [`Hook::shown`] says it.
    pub fn attach(self, ebpf: &mut Ebpf) -> Result<String, ProgramError> {
        let Self(hook) = self;
        let attached = match hook {
            Hook::Btf { name } => find::<BtfTracePoint>(ebpf, name)?.attach().map(drop),
            Hook::Raw { name, program } => find::<RawTracePoint>(ebpf, program)?.attach(name).map(drop),
            Hook::RawOr { name, program, before } => return attach_or_before(ebpf, name, program, before),
            Hook::Entry { program, .. } => find::<FEntry>(ebpf, program)?.attach().map(drop),
            Hook::Exit { program, .. } => find::<FExit>(ebpf, program)?.attach().map(drop),
            Hook::ExitIfThere { function } => find::<FExit>(ebpf, function)?.attach().map(drop),
            Hook::TracePoint { category, name, program } => {
                find::<TracePoint>(ebpf, program)?.attach(category, name).map(drop)
            }
        };
        attached.map(|()| hook.shown())
    }
}

fn attach_or_before(
    ebpf: &mut Ebpf,
    name: &'static str,
    program: &'static str,
    before: (&'static str, &'static str),
) -> Result<String, ProgramError> {
    let now = Hook::Raw { name, program };
    let (name, program) = before;
    match Loaded(now).attach(ebpf) {
        Err(error) if is_no_such_place(&error) && ebpf.program(program).is_some() => {
            let before = Hook::Raw { name, program };
            find::<RawTracePoint>(ebpf, program)?.load()?;
            Loaded(before).attach(ebpf)
        }
        other => other,
    }
}

/// Whether the kernel has no tracepoint of that name.
fn is_no_such_place(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.kind() == std::io::ErrorKind::NotFound)
}

fn of_kind<'a, P>(program: &'a mut Program) -> Result<&'a mut P, ProgramError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    program.try_into()
}

fn find<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, ProgramError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name).ok_or(ProgramError::UnexpectedProgramType)?.try_into()
}
