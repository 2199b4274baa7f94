//! The charts.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::load::Load;
use crate::plan::{CONNECTIONS, Case};
use crate::results::Results;
use crate::subject::{Backend, Host, Platform, Program, World};
use crate::wrk::Measured;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Lines over a few places, each place with a name.
struct Panel {
    title: String,
    places: Vec<String>,
    /// What is measured upwards, on a logarithmic scale.
    unit: &'static str,
    lines: Vec<(Line, Vec<f64>)>,
}

/// Whose values a line, or a bar, shows.
type Line = (Platform, Program);

/// Draws every chart of the main host into `folder`.
pub(crate) fn draw_all(results: &Results, main: Host, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    draw_bars(results, main, &folder.join("floor.svg"))?;
    let panels = |panel: fn(&Results, Host, Load) -> Panel| {
        [Load::Hit, Load::Create, Load::Award].map(|load| panel(results, main, load))
    };
    draw_panels(&panels(throughputs), main, &folder.join("throughput.svg"))?;
    draw_panels(&panels(latencies), main, &folder.join("latency.svg"))
}

/// What can be drawn of a host.
fn lines(main: Host) -> impl Iterator<Item = Line> {
    let platforms = Platform::main(main).into_iter();
    platforms.flat_map(|platform| [Program::Functions, Program::Floor].map(|program| (platform, program)))
}

fn case(load: Load, connections: usize, (platform, program): Line) -> Case {
    Case {
        load,
        connections,
        contender: platform.with(program, load.stock()),
    }
}

fn throughputs(results: &Results, main: Host, load: Load) -> Panel {
    let values = |line| {
        let at = |connections| results.median(case(load, connections, line), |measured| measured.throughput);
        let values: Option<Vec<f64>> = CONNECTIONS.into_iter().map(at).collect();
        Some((line, values?))
    };
    Panel {
        title: format!("{}: answers/s by connections", load.name()),
        places: CONNECTIONS.map(|connections| connections.to_string()).to_vec(),
        unit: "answers per second",
        lines: lines(main).filter_map(values).collect(),
    }
}

fn latencies(results: &Results, main: Host, load: Load) -> Panel {
    let values = |line| {
        let of = |value: fn(&Measured) -> f64| results.median(case(load, 32, line), value);
        let values = [
            of(|measured| measured.p50)?,
            of(|measured| measured.p99)?,
            of(|measured| measured.p999)?,
        ];
        Some((line, values.to_vec()))
    };
    Panel {
        title: format!("{}: latency, 32 connections", load.name()),
        places: ["p50", "p99", "p99.9"].map(str::to_owned).to_vec(),
        unit: "milliseconds",
        lines: lines(main).filter_map(values).collect(),
    }
}

/// One for each platform; the floor's is paler.
fn color((platform, program): Line) -> RGBAColor {
    let color = match (platform.world, platform.backend) {
        (World::Wasip2, Backend::Sqlite) => RGBColor(31, 95, 191),
        (World::Wasip2, Backend::Redis) => RGBColor(120, 80, 190),
        (World::Wasip3, Backend::Sqlite) => RGBColor(214, 110, 20),
        (World::Wasip3, Backend::Redis) => RGBColor(50, 140, 70),
    };
    color.mix(if program == Program::Floor { 0.4 } else { 1.0 })
}

fn name((platform, program): Line) -> String {
    let name = format!("{} {}", platform.world, platform.backend);
    match program {
        Program::Floor => format!("floor, {name}"),
        _ => name,
    }
}

/// Bars for each load at 32 connections, up or down from the floor of the same platform.
fn draw_bars(results: &Results, main: Host, path: &Path) -> Result<()> {
    let groups = Load::COMPARED.map(|load| {
        let ratio = |platform: Platform| {
            let [functions, floor] =
                [Program::Functions, Program::Floor].map(|program| case(load, 32, (platform, program)));
            let ratio = results.ratio(functions, floor, |measured| measured.throughput)?;
            Some(((platform, Program::Functions), ratio.median))
        };
        let bars: Vec<_> = Platform::main(main).into_iter().filter_map(ratio).collect();
        (load, bars)
    });
    let bars = || groups.iter().flat_map(|(_, bars)| bars);
    let area = SVGBackend::new(path, (1200, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let (legend, area) = area.split_vertically(30);
    draw_legend(&legend, main, |line| bars().any(|(one, _)| *one == line))?;
    let places = f64::from(u8::try_from(groups.len())?);
    let highest = bars().map(|(_, ratio)| *ratio).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(
            format!("Answers per second on {main} at 32 connections, the floor of the same platform being 1"),
            ("sans-serif", 16),
        )
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(65)
        .build_cartesian_2d(-0.5..places - 0.5, 0.0..highest * 1.15)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(groups.len())
        .x_label_formatter(&|place| name_at(&groups, *place, |(load, _)| load.name().to_owned()))
        .y_label_formatter(&|value| format!("{value:.1}"))
        .y_desc("times the floor")
        .draw()?;
    for (place, (_, bars)) in (0_u8..).zip(&groups) {
        let width = 0.8 / f64::from(u8::try_from(bars.len().max(1))?);
        for (number, (line, ratio)) in (0_u8..).zip(bars) {
            let left = f64::from(place) - 0.4 + width * f64::from(number);
            let corners = [(left, 0.0), (left + width * 0.92, *ratio)];
            chart.draw_series([Rectangle::new(corners, color(*line).filled())])?;
            let label = (left, ratio + highest * 0.04);
            chart.draw_series([Text::new(format!("{ratio:.2}"), label, ("sans-serif", 9))])?;
        }
    }
    chart.draw_series(LineSeries::new([(-0.5, 1.0), (places - 0.5, 1.0)], BLACK))?;
    Ok(area.present()?)
}

/// Draws panels beside each other.
fn draw_panels(panels: &[Panel], main: Host, path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, (1200, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let (legend, area) = area.split_vertically(30);
    let drawn = |line| {
        let mut lines = panels.iter().flat_map(|panel| &panel.lines);
        lines.any(|(one, _)| *one == line)
    };
    draw_legend(&legend, main, drawn)?;
    for (panel, area) in panels.iter().zip(area.split_evenly((1, panels.len()))) {
        draw_panel(panel, &area)?;
    }
    Ok(area.present()?)
}

fn draw_panel(panel: &Panel, area: &Area) -> Result<()> {
    let values = || panel.lines.iter().flat_map(|(_, values)| values).copied();
    let places = f64::from(u8::try_from(panel.places.len())?);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(65)
        .build_cartesian_2d(-0.3..places - 0.7, decades(values()).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(panel.places.len())
        .x_label_formatter(&|place| name_at(&panel.places, *place, String::clone))
        .y_label_formatter(&|value| value.to_string())
        .y_desc(panel.unit)
        .draw()?;
    for (line, values) in &panel.lines {
        let points = || (0_u8..).map(f64::from).zip(values.iter().copied());
        let color = color(*line);
        chart.draw_series(LineSeries::new(points(), color.stroke_width(2)))?;
        chart.draw_series(points().map(|point| Circle::new(point, 4, color.filled())))?;
    }
    Ok(())
}

/// From the power of ten below all values to the one above them.
fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (lowest, highest) = values.fold((f64::INFINITY, 0.0), |(lowest, highest), value| {
        (value.min(lowest), value.max(highest))
    });
    if lowest > highest {
        return 1.0..10.0;
    }
    let lower = 10_f64.powf(lowest.log10().floor());
    lower..10_f64.powf(highest.log10().ceil()).max(lower * 10.0)
}

/// The name of the place at a coordinate, if it is the place's very own.
fn name_at<T>(places: &[T], coordinate: f64, name: impl Fn(&T) -> String) -> String {
    let found = (0_u8..)
        .zip(places)
        .find(|(number, _)| (f64::from(*number) - coordinate).abs() < 0.01);
    found.map_or_else(String::new, |(_, place)| name(place))
}

fn draw_legend(area: &Area, main: Host, is_drawn: impl Fn(Line) -> bool) -> Result<()> {
    let mut left = 20;
    for line in lines(main).filter(|line| is_drawn(*line)) {
        let name = name(line);
        let length = i32::try_from(name.len())?;
        area.draw(&Rectangle::new(
            [(left, 10), (left + 12, 22)],
            color(line).filled(),
        ))?;
        area.draw(&Text::new(name, (left + 17, 10), ("sans-serif", 12)))?;
        left += 25 + 6 * length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_hold_all_values_between_powers_of_ten() {
        let text = |values: &[f64]| {
            let decades = decades(values.iter().copied());
            format!("{:.3} {:.3}", decades.start, decades.end)
        };
        assert_eq!(text(&[0.2, 30.0]), "0.100 100.000");
        assert_eq!(text(&[1.0]), "1.000 10.000");
        assert_eq!(text(&[5.0, 6.0]), "1.000 10.000");
        assert_eq!(text(&[]), "1.000 10.000");
    }

    #[test]
    fn only_places_have_names() {
        let places = ["a", "b"];
        assert_eq!(name_at(&places, 1.0, |name| (*name).to_owned()), "b");
        assert_eq!(name_at(&places, 0.5, |name| (*name).to_owned()), "");
    }
}
