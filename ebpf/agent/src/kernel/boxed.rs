//! Hooks of which the kind is only known when the agent runs, and those that change nothing.

use std::io;

use super::device::Device;
use super::hooks::{AttachError, Attached, Hooks, Look, Target, examine, look_at};
use super::pins::{Pin, PinName};
use crate::ledger::Place;
use crate::model::Mode;
use crate::scope::Scopes;

/// The devices' own counters and nothing else: for a kernel that lets this process have no maps.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceOnly;

impl Hooks for DeviceOnly {
    fn pins(&mut self) -> io::Result<Vec<Pin>> {
        Ok(Vec::new())
    }

    fn fingerprint(&self, _target: &Target) -> u64 {
        0
    }

    fn keeps(&self, mode: [Mode; 2]) -> bool {
        mode == [Mode::Device; 2]
    }

    fn attach(&mut self, target: &Target) -> Result<Attached, AttachError> {
        let device = Attached::by([Mode::Device; 2]);
        self.look(&target.place).map(|_| device)
    }

    fn look(&mut self, place: &Place) -> Result<Device, AttachError> {
        look_at(place)
    }

    fn examine(&mut self, place: &Place) -> Result<Look, AttachError> {
        examine(place, |_| [0; 2])
    }

    fn detach(&mut self, _target: &Target) -> Result<(), AttachError> {
        Ok(())
    }

    fn settle(&mut self) {}

    fn tell(&mut self, _scopes: &Scopes) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self, _pin: PinName) -> io::Result<()> {
        Ok(())
    }
}

impl Hooks for Box<dyn Hooks> {
    fn pins(&mut self) -> io::Result<Vec<Pin>> {
        self.as_mut().pins()
    }

    fn fingerprint(&self, target: &Target) -> u64 {
        self.as_ref().fingerprint(target)
    }

    fn keeps(&self, mode: [Mode; 2]) -> bool {
        self.as_ref().keeps(mode)
    }

    fn attach(&mut self, target: &Target) -> Result<Attached, AttachError> {
        self.as_mut().attach(target)
    }

    fn look(&mut self, place: &Place) -> Result<Device, AttachError> {
        self.as_mut().look(place)
    }

    fn examine(&mut self, place: &Place) -> Result<Look, AttachError> {
        self.as_mut().examine(place)
    }

    fn detach(&mut self, target: &Target) -> Result<(), AttachError> {
        self.as_mut().detach(target)
    }

    fn settle(&mut self) {
        self.as_mut().settle();
    }

    fn tell(&mut self, scopes: &Scopes) -> io::Result<()> {
        self.as_mut().tell(scopes)
    }

    fn remove(&mut self, pin: PinName) -> io::Result<()> {
        self.as_mut().remove(pin)
    }
}
