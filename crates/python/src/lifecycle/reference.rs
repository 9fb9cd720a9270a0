//! Names of things over all files.

use crate::facts::{ClassId, ExprId, FunctionId, MODULE, StmtId};

/// Index of a file in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

impl FileId {
    /// From a list index.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// As a list index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An expression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprRef {
    /// The file.
    pub file: FileId,
    /// The expression.
    pub id: ExprId,
}

/// A statement of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StmtRef {
    /// The file.
    pub file: FileId,
    /// The statement.
    pub id: StmtId,
}

/// A function of a file; its module is function 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionRef {
    /// The file.
    pub file: FileId,
    /// The function.
    pub id: FunctionId,
}

/// A class of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassRef {
    /// The file.
    pub file: FileId,
    /// The class.
    pub id: ClassId,
}

impl ExprRef {
    /// Another expression of the same file.
    #[must_use]
    pub fn with(self, id: ExprId) -> Self {
        Self { file: self.file, id }
    }
}

impl FunctionRef {
    /// The module body of a file.
    pub fn module(file: FileId) -> Self {
        Self { file, id: MODULE }
    }

    /// Whether it is a module body.
    pub fn is_module(self) -> bool {
        self.id == MODULE
    }
}
