use clew_aggregator::index::partition::Partition;
use tantivy::schema::{TantivyDocument, Value};
fn main() {
    let root = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    for day in Partition::days(&root).unwrap() {
        let p = Partition::open(&root, day).unwrap();
        let s = p.searcher().unwrap();
        let mut sizes = [[0u64; 3]; 16];
        let mut n = 0;
        let mut txn = (0u64, 0u64);
        for (o, seg) in s.segment_readers().iter().enumerate() {
            for d in seg.doc_ids_alive() {
                let doc: TantivyDocument = s.doc(tantivy::DocAddress::new(o as u32, d)).unwrap();
                let b = doc.get_first(p.fields.payload).and_then(|v| v.as_bytes()).unwrap();
                if !b.starts_with(b"CLWB") {
                    txn.0 += 1;
                    txn.1 += b.len() as u64;
                    continue;
                }
                n += 1;
                let mut i = &b[5..];
                use clew_aggregator::block::varint::take;
                let c = take(&mut i).unwrap();
                for _ in 0..c {
                    let col = i[0] as usize;
                    let codec = i[1];
                    i = &i[2..];
                    let plain = take(&mut i).unwrap();
                    let st = take(&mut i).unwrap();
                    sizes[col][0] += plain;
                    sizes[col][1] += st;
                    sizes[col][2] += (codec == 1) as u64;
                }
            }
        }
        println!("blocks {n} txn {txn:?}");
        for (name, i) in ["", "Sources", "Runs", "Times", "Sev", "Flags", "Lengths", "Ids", "IdCounts", "IdRefs", "Raw"]
            .iter()
            .zip(0..)
        {
            println!("{name:10} plain {:>10} stored {:>10} zstd {}", sizes[i][0], sizes[i][1], sizes[i][2]);
        }
    }
}
