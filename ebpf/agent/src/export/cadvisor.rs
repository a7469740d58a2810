//! The eight network metrics of cAdvisor, from the same source as its own: the device's counters.

use super::families::cadvisor::CADVISOR;
use super::rows::{About, Rows};
use super::text::{Created, Text};
use crate::model::{DeviceCounts, DeviceDirection};

/// Writes them for every interface whose device was read.
pub(crate) fn write(text: &mut Text, rows: &Rows) {
    let numbers: [fn(&DeviceDirection) -> u64; 4] = [
        |direction| direction.count.bytes,
        |direction| direction.count.packets,
        |direction| direction.dropped,
        |direction| direction.errors,
    ];
    let directions: [fn(&DeviceCounts) -> &DeviceDirection; 2] =
        [|device| &device.receive, |device| &device.transmit];
    for (families, number) in CADVISOR.iter().zip(numbers) {
        for (family, direction) in families.iter().zip(directions) {
            text.family(family);
            for (about, device, created) in devices(rows) {
                let number = number(direction(device));
                text.count(&about.cadvisor, ("", ""), (number, created));
            }
        }
    }
}

fn devices(rows: &Rows) -> impl Iterator<Item = (&About, &DeviceCounts, &Created)> {
    rows.interfaces.iter().filter_map(|row| {
        let about = row.about.as_ref()?;
        Some((about, about.device.as_ref()?, &row.row.created))
    })
}
