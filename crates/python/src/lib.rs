//! python

pub mod edit;
