//! What a user is: usernames, email addresses, points, tiers, the JSON record that holds them, and the changes that clients
//! may ask for.

pub mod email;
pub mod json;
pub mod member_name;
pub mod merge_patch;
pub mod points;
pub mod points_request;
pub mod tier;
pub mod timestamp;
pub mod user;
pub mod username;
