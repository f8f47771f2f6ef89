//! How many instructions a second the interpreter runs, branches told.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dispatchlab::branch::Branch;
use dispatchlab::interpreter::memory::Memory;
use dispatchlab::interpreter::{Code, Cpu, Interpreter, Watch};

struct Folded(u64);

impl Watch for Folded {
    fn branch(&mut self, branch: Branch) {
        self.0 = self
            .0
            .wrapping_mul(31)
            .wrapping_add(branch.target ^ u64::from(branch.taken));
    }
}

/// A table of 16 functions called in a scrambled order: 13 instructions a turn, 4 of them branches.
fn indirect_calls(bench: &mut Criterion) {
    const TURNS: u64 = 100_000;
    const CODE: u64 = 0x10_0000;
    let text = "\
again: imul r8d, r8d, 1664525\n add r8d, 1013904223\n mov ecx, r8d\n shr ecx, 28\n\
 mov rcx, [rbx + rcx * 8]\n mov rax, rsi\n call rcx\n add r13, rax\n dec r15\n jne again\n\
done: ret\n";
    let mut section = dispatchlab::asm::fragment(text).expect("assembles").bytes;
    let done = section.len() - 1;
    let mut table = vec![0u8; 4096];
    for number in 0..16u32 {
        let target = CODE + section.len() as u64;
        table[8 * number as usize..][..8].copy_from_slice(&target.to_le_bytes());
        let callee = format!("mov eax, [rax]\n add eax, {number}\n ret\n");
        section.extend(
            dispatchlab::asm::fragment(&callee)
                .expect("assembles")
                .bytes,
        );
    }
    let address = table.as_ptr() as u64;
    let code = Code {
        address: CODE,
        bytes: &section,
        own: &[],
        turn_end: 0,
    };
    let end = CODE + done as u64;
    let mut interpreter = Interpreter::new(code, &[CODE, end]);
    let mut group = bench.benchmark_group("interpreter");
    group.throughput(Throughput::Elements(TURNS * 13));
    group.bench_function("instructions", |bencher| {
        bencher.iter(|| {
            let mut cpu = Cpu::new(Memory::new().with(&mut table));
            cpu.set_register(3, address);
            cpu.set_register(6, address);
            cpu.set_register(4, address + 4096);
            cpu.set_register(15, TURNS);
            let mut folded = Folded(0);
            interpreter
                .run(&mut cpu, CODE, end, &mut folded)
                .expect("runs");
            folded.0
        });
    });
    group.finish();
}

criterion_group!(benches, indirect_calls);
criterion_main!(benches);
