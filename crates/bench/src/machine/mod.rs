//! What the benchmark knows about the machine: CPU time and memory of processes (`cpu`), whether anybody else is
//! working (`noise`), and what to print at the head of a report (`facts`). Linux only: everything comes from /proc.

pub mod cpu;
pub mod facts;
pub mod noise;
