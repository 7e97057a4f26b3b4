fn main() {
    let args: Vec<String> = std::env::args().collect();
    let Ok(etcdsim_plan::Source::Scenario(s)) = etcdsim_plan::Source::load(std::path::Path::new(&args[1])) else { panic!() };
    let seed: u64 = args[2].parse().unwrap();
    if args.len() > 3 {
        let n: u64 = args[3].parse().unwrap();
        let t = std::time::Instant::now();
        let (mut f, mut o) = (0, 0);
        for seed in 0..n { let p = s.expand(seed); f += p.faults.len(); o += p.clients.iter().map(|c| c.operations.len()).sum::<usize>(); }
        println!("{:40} {:?} each, {} faults, {} ops", args[1], t.elapsed() / n as u32, f as u64 / n, o as u64 / n);
    } else {
        print!("{}", s.expand(seed).to_toml());
    }
}
