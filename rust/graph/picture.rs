//! Pictures of a graph: DOT for the tools that lay out graphs, SVG for a browser.
//!
//! In the SVG a page stands as low as its longest way from a page without parents, each level from
//! left to right so that pages stand about under their parents. All boxes are in columns with gaps
//! between, or, where that leaves a level in its middle, over the gaps.
//!
//! No edge hides, neither behind a box nor behind another edge:
//! - An edge to the next level is a curve in the space between the two, where no box is.
//! - One that skips levels has a lane: a straight line in a gap that is free on all of them, and a
//!   curve at both ends. No other edge is in its lane between the same levels.
//! - All curves between two levels bend alike, so that two run together only if both their ends are
//!   the same. They are not: each lane is apart from all else, and edges of different kinds meet a
//!   box side by side.

use super::{Graph, Way};
use crate::bail;
use crate::error::Result;
use crate::types::{EdgeKind, Link, PageId};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt::Write;

/// A picture of more pages than this cannot be looked at.
pub const PICTURE_PAGES_MAX: usize = 10_000;

const BOX: (usize, usize) = (72, 28);
const GAP: (usize, usize) = (18, 52);
const MARGIN: usize = 16;
/// Between edges that run down in one gap.
const LANE: usize = 8;
/// Between edges of different kinds at a box; four fit on its side.
const PORT: usize = 14;
/// The height of a line of the legend, and the length of its sample.
const LEGEND: (usize, usize) = (18, 32);
/// Sweeps down and up that bring pages near to those they are linked with.
const SWEEPS: usize = 4;

/// How an edge looks, the same in both: colour and, for SVG, dashes.
pub(super) fn look(kind: EdgeKind) -> (&'static str, &'static str) {
    match kind {
        EdgeKind::Data => ("#37474f", "none"),
        EdgeKind::Control => ("#1565c0", "6 4"),
        EdgeKind::Device => ("#2e7d32", "2 3"),
        EdgeKind::Compiler => ("#ad1457", "9 3 2 3"),
    }
}

/// Where a page stands.
#[derive(Clone, Copy)]
struct Seat {
    level: usize,
    /// Gaps and columns from the left, counted together: the even ones are gaps.
    spot: usize,
    /// The kinds of its edges to parents, a bit each.
    above: u8,
    /// The kinds of its edges to children.
    below: u8,
}

struct Edge {
    from: Seat,
    to: Seat,
    kind: EdgeKind,
    /// The gap and the lane in it of an edge that skips levels.
    lane: Option<(usize, usize)>,
}

/// A gap between columns: the level at which each of its lanes is free again, and its number.
#[derive(Default)]
struct Gap(BinaryHeap<Reverse<(usize, usize)>>);

impl Gap {
    /// A lane for an edge between two levels, for edges in the order of the upper one.
    fn lane(&mut self, from: usize, to: usize) -> usize {
        let free = self.0.peek().filter(|Reverse((level, _))| *level <= from);
        let lane = free.map_or(self.0.len(), |Reverse((_, lane))| *lane);
        if lane < self.0.len() {
            self.0.pop();
        }
        self.0.push(Reverse((to, lane)));
        lane
    }

    fn width(&self) -> usize {
        GAP.0.max((self.0.len() + 1) * LANE)
    }
}

/// A graph laid out: what its picture is drawn from.
struct Layout {
    pages: Vec<(PageId, Seat)>,
    edges: Vec<Edge>,
    gaps: Vec<Gap>,
    levels: usize,
    kinds: Vec<EdgeKind>,
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
        Ok(self.layout().draw())
    }

    fn layout(&self) -> Layout {
        let rows = self.rows();
        let wide = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut pages = Vec::with_capacity(self.len());
        for (level, row) in rows.iter().enumerate() {
            let first = wide + 1 - row.len();
            for (i, &id) in row.iter().enumerate() {
                let [above, below] = [Way::Up, Way::Down].map(|way| bits(&self.links(id, way)));
                pages.push((id, Seat { level, spot: first + 2 * i, above, below }));
            }
        }
        let (edges, gaps) = self.routes(&rows, wide, &pages);
        let all = pages.iter().fold(0, |all, (_, seat)| all | seat.below);
        let occurs = |kind: &EdgeKind| all & bit(*kind) != 0;
        let kinds = EdgeKind::ALL.into_iter().filter(occurs).collect();
        Layout { pages, edges, gaps, levels: rows.len(), kinds }
    }

    /// All edges, those that skip levels with their lanes, and the gaps that these are in.
    fn routes(
        &self,
        rows: &[Vec<PageId>],
        wide: usize,
        pages: &[(PageId, Seat)],
    ) -> (Vec<Edge>, Vec<Gap>) {
        let seats: HashMap<PageId, Seat> = pages.iter().copied().collect();
        let mut gaps: Vec<Gap> = (0..=wide).map(|_| Gap::default()).collect();
        let mut edges = Vec::new();
        for row in pages.chunk_by(|(_, a), (_, b)| a.level == b.level) {
            let shut = shut_below(rows, wide, row[0].1.level);
            let links = |&(id, from): &(PageId, Seat)| {
                self.links(id, Way::Down).into_iter().map(move |l| (from, l))
            };
            for (from, Link { page, kind }) in row.iter().flat_map(links) {
                let to = seats[&page];
                let skipped = to.level - from.level - 1;
                let lane = (skipped > 0).then(|| {
                    let gap = gap_between(from.spot, to.spot, wide, shut[skipped - 1]);
                    (gap, gaps[gap].lane(from.level, to.level))
                });
                edges.push(Edge { from, to, kind, lane });
            }
        }
        (edges, gaps)
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

impl Layout {
    fn draw(&self) -> String {
        let mut middles = Vec::new();
        let mut right = MARGIN;
        for spot in 0..2 * self.gaps.len() - 1 {
            let width = if spot % 2 == 0 { self.gaps[spot / 2].width() } else { BOX.0 };
            middles.push(right + width / 2);
            right += width;
        }
        let top = MARGIN + self.kinds.len() * LEGEND.0;
        let size = (right + MARGIN, top + self.levels * (BOX.1 + GAP.1));
        let mut out = String::new();
        write_head(&mut out, size);
        self.write_legend(&mut out);
        self.write_edges(&mut out, &middles, top);
        self.write_boxes(&mut out, &middles, top);
        out.push_str("</svg>\n");
        out
    }

    fn write_legend(&self, out: &mut String) {
        out.push_str("<g stroke-width=\"1.3\">\n");
        for (i, &kind) in self.kinds.iter().enumerate() {
            let (colour, dashes) = look(kind);
            let y = MARGIN + i * LEGEND.0;
            let _ = writeln!(
                out,
                "<path d=\"M{MARGIN} {y}h{}\" stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"/>\
                 <text x=\"{}\" y=\"{}\" fill=\"#263238\">{}</text>",
                LEGEND.1,
                MARGIN + LEGEND.1 + 8,
                y + 4,
                kind.name()
            );
        }
        out.push_str("</g>\n");
    }

    fn write_edges(&self, out: &mut String, middles: &[usize], top: usize) {
        let height = |level: usize| top + level * (BOX.1 + GAP.1);
        out.push_str("<g fill=\"none\" stroke-width=\"1.3\">\n");
        for Edge { from, to, kind, lane } in &self.edges {
            let mut x = port(middles[from.spot], from.below, *kind);
            let _ = write!(out, "<path d=\"M{x} {}", height(from.level) + BOX.1);
            if let Some((gap, lane)) = lane {
                let lanes = self.gaps[*gap].0.len();
                let lane_x = middles[2 * gap] + lane * LANE - (lanes - 1) * LANE / 2;
                write_curve(out, x, lane_x, height(from.level + 1));
                let _ = write!(out, "V{}", height(to.level - 1) + BOX.1);
                x = lane_x;
            }
            write_curve(out, x, port(middles[to.spot], to.above, *kind), height(to.level));
            let (colour, dashes) = look(*kind);
            let _ = writeln!(
                out,
                "\" stroke=\"{colour}\" stroke-dasharray=\"{dashes}\" marker-end=\"url(#{})\"/>",
                kind.name()
            );
        }
        out.push_str("</g>\n");
    }

    fn write_boxes(&self, out: &mut String, middles: &[usize], top: usize) {
        out.push_str("<g stroke=\"#607d8b\" text-anchor=\"middle\">\n");
        for (id, seat) in &self.pages {
            let (x, y) = (middles[seat.spot], top + seat.level * (BOX.1 + GAP.1));
            let _ = writeln!(
                out,
                "<rect x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"5\" fill=\"#eceff1\"/>\
                 <text x=\"{x}\" y=\"{}\" stroke=\"none\" fill=\"#263238\">{}</text>",
                x - BOX.0 / 2,
                BOX.0,
                BOX.1,
                y + BOX.1 / 2 + 4,
                id.0
            );
        }
        out.push_str("</g>\n");
    }
}

fn write_head(out: &mut String, (width, height): (usize, usize)) {
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
    out.push_str("</defs>\n");
}

/// Draws on from below a level, at `from`, to the upper side of the next at `to` and `bottom`.
fn write_curve(out: &mut String, from: usize, to: usize, bottom: usize) {
    let bend = bottom - GAP.1 / 2;
    let _ = write!(out, "C{from} {bend} {to} {bend} {to} {bottom}");
}

fn bit(kind: EdgeKind) -> u8 {
    1 << kind as u8
}

fn bits(links: &[Link]) -> u8 {
    links.iter().fold(0, |bits, link| bits | bit(link.kind))
}

/// Where edges of a kind meet a box: those that do so are side by side about its middle.
fn port(middle: usize, kinds: u8, kind: EdgeKind) -> usize {
    let before = (kinds & (bit(kind) - 1)).count_ones() as usize;
    middle + before * PORT - (kinds.count_ones() as usize - 1) * PORT / 2
}

/// How many boxes stand over gaps on one of the levels below `level`: the most on the first, on
/// the first two, and so on.
fn shut_below(rows: &[Vec<PageId>], wide: usize, level: usize) -> Vec<usize> {
    let below = rows[level + 1..].iter().scan(0, |most, row| {
        if (wide - row.len()) % 2 == 1 {
            *most = row.len().max(*most);
        }
        Some(*most)
    });
    below.collect()
}

/// The gap nearest to the middle of two spots. The middle `shut` gaps have a box over them; the
/// outermost never have.
fn gap_between(from: usize, to: usize, wide: usize, shut: usize) -> usize {
    let nearest = (from + to + 2) / 4;
    let shut = (wide + 1 - shut) / 2..(wide + 1 + shut) / 2;
    if !shut.contains(&nearest) {
        nearest
    } else if nearest - shut.start < shut.end - 1 - nearest {
        shut.start - 1
    } else {
        shut.end
    }
}

/// Where each page of a row stands, from the row's middle.
fn note_columns(row: &[PageId], columns: &mut HashMap<PageId, f64>) {
    let middle = row.len() as f64 / 2.0;
    columns.extend(row.iter().enumerate().map(|(i, id)| (*id, i as f64 + 0.5 - middle)));
}
