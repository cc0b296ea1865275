//! An allocator that counts what the thread it is asked by has.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// Allocations made so far.
#[allow(dead_code, reason = "not every test counts both")]
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes allocated and not given back.
#[allow(dead_code, reason = "not every test counts both")]
pub(crate) fn bytes() -> u64 {
    BYTES.get()
}

/// What a piece of memory takes in glibc: eight bytes more, and a multiple of sixteen.
fn taken(size: usize) -> u64 {
    (size + 8).next_multiple_of(16).max(32) as u64
}

fn note(given: u64, back: u64) {
    BYTES.set(BYTES.get().wrapping_add(given).wrapping_sub(back));
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches only
// thread-local cells that need no allocation of their own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        note(taken(layout.size()), 0);
        // SAFETY: the caller keeps GlobalAlloc's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, taken(layout.size()));
        // SAFETY: the caller keeps GlobalAlloc's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        note(taken(size), taken(layout.size()));
        // SAFETY: the caller keeps GlobalAlloc's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
