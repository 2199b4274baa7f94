//! Several updates of one user.
