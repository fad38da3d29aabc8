//! The layout: in which order lanes stand, so that what belongs together is together.
//!
//! ```text
//!   main ┌ group 'page'          a task, then the children of its scopes, scope by scope, then what else it has spawned
//!    user│                       so that each scope is around neighbouring lanes
//!    orders
//! ```

use crate::timeline::TimeLine;

/// Puts the lanes in order, and says how far each is indented and how far down each block reaches.
pub(crate) fn arrange(mut line: TimeLine) -> TimeLine {
    let order = Order::of(&line);
    let mut place = vec![0; line.lanes.len()];
    for (position, (lane, depth)) in order.lanes.iter().enumerate() {
        place[*lane] = position;
        line.lanes[*lane].depth = *depth;
    }
    for (block, last) in line.blocks.iter_mut().zip(order.last) {
        (block.lane, block.last) = (place[block.lane], place[last.unwrap_or(block.lane)]);
    }
    for arrow in &mut line.arrows {
        (arrow.lane, arrow.to_lane) = (place[arrow.lane], place[arrow.to_lane]);
    }
    let mut lanes: Vec<_> = line.lanes.into_iter().map(Some).collect();
    line.lanes =
        order.lanes.iter().map(|(lane, _)| lanes[*lane].take().expect("each lane stands once")).collect();
    for lane in &mut line.lanes {
        lane.parent = lane.parent.map(|parent| place[parent]);
    }
    line
}

/// The lanes in order, each with its depth; and the last lane of each block.
struct Order {
    lanes: Vec<(usize, usize)>,
    last: Vec<Option<usize>>,
}

/// What is still to be put in order: later ones come first.
enum Next {
    Lane(usize, usize),
    Block(usize, usize),
    /// All that belongs to a block has its place.
    End(usize),
}

impl Order {
    fn of(line: &TimeLine) -> Order {
        let mut in_block: Vec<Vec<usize>> = vec![Vec::new(); line.blocks.len()];
        let mut spawned: Vec<Vec<usize>> = vec![Vec::new(); line.lanes.len()];
        let mut next = Vec::new();
        for (index, lane) in line.lanes.iter().enumerate() {
            match (lane.group, lane.parent) {
                (Some(block), _) => in_block[block].push(index),
                (None, Some(parent)) => spawned[parent].push(index),
                (None, None) => next.push(Next::Lane(index, 0)),
            }
        }
        let mut blocks_of: Vec<Vec<usize>> = vec![Vec::new(); line.lanes.len()];
        let mut within: Vec<Vec<usize>> = vec![Vec::new(); line.blocks.len()];
        for (index, block) in line.blocks.iter().enumerate() {
            match block.parent {
                Some(parent) => within[parent].push(index),
                None => blocks_of[block.lane].push(index),
            }
        }
        next.reverse();
        let mut order = Order { lanes: Vec::new(), last: vec![None; line.blocks.len()] };
        // Not recursive: groups may be nested as deep as a program likes.
        while let Some(one) = next.pop() {
            let mut then: Vec<Next> = Vec::new();
            match one {
                Next::Lane(lane, depth) => {
                    order.lanes.push((lane, depth));
                    then.extend(blocks_of[lane].iter().map(|block| Next::Block(*block, depth + 1)));
                    then.extend(spawned[lane].iter().map(|child| Next::Lane(*child, depth + 1)));
                }
                Next::Block(block, depth) => {
                    then.extend(in_block[block].iter().map(|child| Next::Lane(*child, depth)));
                    then.extend(within[block].iter().map(|inner| Next::Block(*inner, depth)));
                    then.push(Next::End(block));
                }
                Next::End(block) => {
                    let below = order.lanes.last().map(|(lane, _)| *lane);
                    order.last[block] = below;
                }
            }
            next.extend(then.into_iter().rev());
        }
        order
    }
}
