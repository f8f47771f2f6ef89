//! Links a row's images and maps them.
//!
//! Correct means: all images of a row share one data region, each has code of its own behind it, and
//! what is entered was never at its address before.

use super::Stage;
use super::memory::Own;
use crate::go::heap::{Heap, lay_out};
use crate::interpreter::native::Natives;
use crate::job::{Failure, JobRow, Plan};
use crate::link::{HEAP_OFFSET, Image, LinkError, Site, Variant, lengths, link, link_with_data};
use crate::sys::mapping::{PAGE, Window};

impl<'a> Stage<'a> {
    /// Links and maps all images of a row at addresses that this process never used.
    ///
    /// # Errors
    /// As a failure of the worker: the parent has linked the same row before.
    pub fn new(row: &'a JobRow, plan: &Plan, window: &mut Window) -> Result<Stage<'a>, Failure> {
        let cannot = |what: String| Failure::Worker(what);
        let delayed = if plan.infers() {
            row.injection.images()
        } else {
            0
        };
        let heap = lay_out(&row.heap).map_err(cannot)?;
        let sites = |data: u64, code: &[u64]| -> Vec<Site> {
            let body = |(at, placement): (usize, &_)| Site {
                data,
                code: code[at],
                placement: *placement,
                variant: Variant::Body,
            };
            let mut sites: Vec<Site> = plan.placements.iter().enumerate().map(body).collect();
            let last = Site {
                code: code[sites.len()],
                variant: Variant::Baseline,
                ..sites[0]
            };
            let delayed = (0..delayed).map(|copy| Site {
                code: code[sites.len() + 1 + copy],
                variant: Variant::Delayed(copy),
                ..sites[0]
            });
            let behind: Vec<Site> = std::iter::once(last).chain(delayed).collect();
            sites.extend(behind);
            sites
        };
        // Sizes do not depend on addresses.
        let baseline = plan.placements.len();
        let count = baseline + 1 + delayed;
        let lengths: Vec<(usize, usize)> = sites(0, &vec![1 << 20; count])
            .into_iter()
            .map(|site| lengths(row, &heap, site))
            .collect();
        let data_bytes = lengths.iter().map(|(data, _)| *data).max().unwrap_or(0);
        let data_bytes = data_bytes.next_multiple_of(PAGE);
        let mut end = data_bytes + PAGE;
        let mut offsets = Vec::with_capacity(count);
        for (_, code) in &lengths {
            offsets.push(end);
            end += code.next_multiple_of(PAGE);
        }
        let mut memory = window
            .take(end)
            .map_err(|error| cannot(format!("mapping {end} bytes: {error}")))?;
        let base = memory.address();
        let code: Vec<u64> = offsets.iter().map(|offset| base + *offset as u64).collect();
        let bytes = memory.bytes();
        let images = link_all(row, &heap, &sites(base, &code), &mut bytes[..data_bytes])?;
        for (image, offset) in images.iter().zip(&offsets) {
            bytes[*offset..*offset + image.code.len()].copy_from_slice(&image.code);
        }
        let code = memory.seal(data_bytes + PAGE..end).map_err(|error| {
            cannot(format!(
                "making code executable: {error}; is executable anonymous memory forbidden here?"
            ))
        })?;
        let natives = Natives::of(&images[0], &row.carried, window)
            .map_err(|error| cannot(format!("mapping single instructions: {error}")))?;
        Ok(Stage {
            row,
            natives,
            array: heap.array.map(|array| {
                let bytes = 8 * row.words() as u64;
                (base + u64::from(HEAP_OFFSET + array), bytes)
            }),
            images,
            baseline,
            code,
            active: None,
            gs_base: 0,
            data: Own::default(),
            stack: Own::default(),
            frames: Vec::new(),
            is_by_element: row.is_by_element(),
            elements: std::cell::RefCell::default(),
        })
    }
}

/// Links all images. All share the data of the first but for its code pointers.
fn link_all(
    row: &JobRow,
    heap: &Heap,
    sites: &[Site],
    data: &mut [u8],
) -> Result<Vec<Image>, Failure> {
    let failed =
        |errors: Vec<LinkError>| Failure::Worker(format!("the row does not link: {errors:?}"));
    let mut images = vec![link_with_data(row, heap, sites[0], data).map_err(failed)?];
    for site in &sites[1..] {
        images.push(link(row, heap, *site).map_err(failed)?);
    }
    // Names are the parent's business; a row may have half a million of them.
    for image in &mut images {
        image.symbols = Vec::new();
    }
    Ok(images)
}
