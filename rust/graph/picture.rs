//! Pictures of a graph: DOT for the tools that lay out graphs, SVG for a browser.
//!
//! In the SVG a page stands as low as its longest way from a page without parents, each level from
//! left to right so that pages stand about under their parents.

use super::{Graph, Way};
use crate::bail;
use crate::error::Result;
use crate::types::{EdgeKind, Link, PageId};
use std::collections::HashMap;
use std::fmt::Write;

/// A picture of more pages than this cannot be looked at.
pub const PICTURE_PAGES_MAX: usize = 10_000;

const BOX: (usize, usize) = (72, 28);
const GAP: (usize, usize) = (18, 52);
const MARGIN: usize = 16;
/// Sweeps down and up that bring pages near to those they are linked with.
const SWEEPS: usize = 4;

/// How an edge looks, the same in both: colour and, for SVG, dashes.
fn look(kind: EdgeKind) -> (&'static str, &'static str) {
    match kind {
        EdgeKind::Data => ("#37474f", "none"),
        EdgeKind::Control => ("#1565c0", "6 4"),
        EdgeKind::Device => ("#2e7d32", "2 3"),
        EdgeKind::Compiler => ("#ad1457", "9 3 2 3"),
    }
}

impl Graph {
    /// The graph in the DOT language: pages ascending, edges ascending by parent, child and kind.
    pub fn to_dot(&self) -> String {
        let mut levels = self.levels();
        levels.sort_unstable();
        let mut out = String::from("digraph mmsb {\n  node [shape=box];\n");
        for &(id, _) in &levels {
            let _ = writeln!(out, "  {};", id.0);
        }
        for &(id, _) in &levels {
            for Link { page, kind } in self.links(id, Way::Down) {
                let _ = write!(out, "  {} -> {}", id.0, page.0);
                if kind != EdgeKind::Data {
                    let _ = write!(out, " [label={}, color=\"{}\"]", kind.name(), look(kind).0);
                }
                out.push_str(";\n");
            }
        }
        out.push_str("}\n");
        out
    }

    /// The graph as an SVG picture, in layers from top to bottom.
    ///
    /// # Errors
    /// `TooLarge` for more than [`PICTURE_PAGES_MAX`] pages with edges.
    pub fn to_svg(&self) -> Result<String> {
        if self.len() > PICTURE_PAGES_MAX {
            let n = self.len();
            bail!(TooLarge, "a picture of {n} pages; the limit is {PICTURE_PAGES_MAX}");
        }
        let rows = self.rows();
        let wide = rows.iter().map(Vec::len).max().unwrap_or(0);
        let size = (2 * MARGIN + wide * (BOX.0 + GAP.0), 2 * MARGIN + rows.len() * (BOX.1 + GAP.1));
        let mut places = HashMap::new();
        for (level, row) in rows.iter().enumerate() {
            let indent = (wide - row.len()) * (BOX.0 + GAP.0) / 2;
            for (i, &id) in row.iter().enumerate() {
                let x = MARGIN + indent + GAP.0 / 2 + i * (BOX.0 + GAP.0);
                places.insert(id, (x, MARGIN + level * (BOX.1 + GAP.1)));
            }
        }
        Ok(self.draw(size, &rows, &places))
    }

    fn draw(
        &self,
        (width, height): (usize, usize),
        rows: &[Vec<PageId>],
        places: &HashMap<PageId, (usize, usize)>,
    ) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<defs>"
        );
        for kind in EdgeKind::ALL {
            let _ = writeln!(
                out,
                "<marker id=\"{}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
                 markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"{}\"/></marker>",
                kind.name(),
                look(kind).0
            );
        }
        out.push_str("</defs>\n<g fill=\"none\" stroke-width=\"1.3\">\n");
        for id in rows.iter().flatten() {
            let (x, y) = places[id];
            for Link { page, kind } in self.links(*id, Way::Down) {
                let (to_x, to_y) = places[&page];
                let (x1, y1, x2, y2) = (x + BOX.0 / 2, y + BOX.1, to_x + BOX.0 / 2, to_y);
                let bend = (y2 - y1) / 2;
                let (colour, dashes) = look(kind);
                let _ = writeln!(
                    out,
                    "<path d=\"M{x1} {y1}C{x1} {} {x2} {} {x2} {y2}\" stroke=\"{colour}\" \
                     stroke-dasharray=\"{dashes}\" marker-end=\"url(#{})\"/>",
                    y1 + bend,
                    y2 - bend,
                    kind.name()
                );
            }
        }
        out.push_str("</g>\n<g stroke=\"#607d8b\" text-anchor=\"middle\">\n");
        for id in rows.iter().flatten() {
            let (x, y) = places[id];
            let _ = writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"5\" fill=\"#eceff1\"/>\
                 <text x=\"{}\" y=\"{}\" stroke=\"none\" fill=\"#263238\">{}</text>",
                BOX.0,
                BOX.1,
                x + BOX.0 / 2,
                y + BOX.1 / 2 + 4,
                id.0
            );
        }
        out.push_str("</g>\n</svg>\n");
        out
    }

    /// The pages of each height, each row sorted so that pages stand near those that they are
    /// linked with.
    fn rows(&self) -> Vec<Vec<PageId>> {
        let mut rows: Vec<Vec<PageId>> = Vec::new();
        for (id, height) in self.levels() {
            if rows.len() <= height as usize {
                rows.push(Vec::new());
            }
            rows[height as usize].push(id);
        }
        let mut columns = HashMap::new();
        rows.iter().for_each(|row| note_columns(row, &mut columns));
        for sweep in 0..SWEEPS {
            let way = if sweep % 2 == 0 { Way::Up } else { Way::Down };
            for level in 0..rows.len() {
                let level = if way == Way::Up { level } else { rows.len() - 1 - level };
                let mean = |id: &PageId| {
                    let links = self.links(*id, way);
                    let columns_of = links.iter().map(|link| columns[&link.page]);
                    let sum: f64 = columns_of.sum();
                    if links.is_empty() { columns[id] } else { sum / links.len() as f64 }
                };
                let mut keyed: Vec<(f64, PageId)> =
                    rows[level].iter().map(|id| (mean(id), *id)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                rows[level] = keyed.into_iter().map(|(_, id)| id).collect();
                note_columns(&rows[level], &mut columns);
            }
        }
        rows
    }
}

/// Where each page of a row stands, from the row's middle.
fn note_columns(row: &[PageId], columns: &mut HashMap<PageId, f64>) {
    let middle = row.len() as f64 / 2.0;
    columns.extend(row.iter().enumerate().map(|(i, id)| (*id, i as f64 + 0.5 - middle)));
}
