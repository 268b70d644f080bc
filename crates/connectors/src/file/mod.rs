//! Files as source and target.
