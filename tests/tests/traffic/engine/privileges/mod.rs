//! With what `deploy/systemd/traffic-agent.service` grants: everything works, and nothing of it is
//! granted in vain.

mod calls;
mod capabilities;
mod confined;
mod journey;
