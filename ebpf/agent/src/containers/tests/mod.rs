//! Every packet counts once, and for the container that it was for, whatever happens.

mod cases;
mod memory;
mod model;
mod world;
