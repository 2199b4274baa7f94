//! The charts.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::plan::{CONNECTIONS, Case, Contender, Load, MILLION, Subject};
use crate::results::Results;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Lines over a few places, each place with a name.
struct Panel {
    title: String,
    places: Vec<String>,
    /// What is measured upwards, on a logarithmic scale.
    unit: &'static str,
    lines: Vec<(Subject, Vec<f64>)>,
}

/// Draws every chart into `folder`.
pub(crate) fn draw_all(results: &Results, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    draw_bars(results, &folder.join("floor.svg"))?;
    let both =
        |panel: fn(&Results, Load) -> Panel| [Load::Hit, Load::Create].map(|load| panel(results, load));
    draw_panels(&both(throughputs), &folder.join("throughput.svg"))?;
    draw_panels(&both(latencies), &folder.join("latency.svg"))
}

/// Who takes a load at 32 connections, without the large store.
fn cases(load: Load, connections: usize) -> impl Iterator<Item = Case> {
    let contenders = load.contenders(connections, true).into_iter();
    contenders
        .filter(|contender| contender.users != MILLION)
        .map(move |contender| Case {
            load,
            connections,
            contender,
        })
}

fn throughputs(results: &Results, load: Load) -> Panel {
    let line = |case: Case| {
        let at = |connections| {
            results
                .medians(Case { connections, ..case })
                .map(|[throughput, ..]| throughput)
        };
        let line: Option<Vec<f64>> = CONNECTIONS.into_iter().map(at).collect();
        Some((case.contender.subject, line?))
    };
    Panel {
        title: format!("{}: answers per second", load.name()),
        places: CONNECTIONS
            .map(|connections| match connections {
                1 => "1 connection".to_owned(),
                several => format!("{several} connections"),
            })
            .to_vec(),
        unit: "answers per second",
        lines: cases(load, 256).filter_map(line).collect(),
    }
}

fn latencies(results: &Results, load: Load) -> Panel {
    let line = |case: Case| {
        let [_, latencies @ ..] = results.medians(case)?;
        Some((case.contender.subject, latencies.to_vec()))
    };
    Panel {
        title: format!("{}: latency, 32 connections", load.name()),
        places: ["p50", "p99", "p99.9"].map(str::to_owned).to_vec(),
        unit: "milliseconds",
        lines: cases(load, 32).filter_map(line).collect(),
    }
}

fn color(subject: Subject) -> RGBColor {
    match subject {
        Subject::Functions => RGBColor(31, 95, 191),
        Subject::OnSpin => RGBColor(140, 80, 190),
        Subject::Floor => RGBColor(120, 120, 120),
        Subject::OneSet => RGBColor(185, 185, 185),
        Subject::Native => RGBColor(214, 110, 20),
        Subject::NativeGrouped => RGBColor(240, 180, 110),
        Subject::Seed => RGBColor(50, 140, 70),
    }
}

/// Bars for each load at 32 connections, up or down from the floor: how many times its answers each subject gave.
fn draw_bars(results: &Results, path: &Path) -> Result<()> {
    let groups = Load::ALL.map(|load| {
        let ratio = |case: Case| {
            let floor = Contender {
                subject: Subject::Floor,
                ..case.contender
            };
            let floor = Case {
                contender: floor,
                ..case
            };
            Some((case.contender.subject, results.ratio(case, floor)?.median))
        };
        let bars: Vec<_> = cases(load, 32)
            .filter(|case| case.contender.subject != Subject::Floor)
            .filter_map(ratio)
            .collect();
        (load, bars)
    });
    let bars = || groups.iter().flat_map(|(_, bars)| bars);
    let area = SVGBackend::new(path, (960, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let (legend, area) = area.split_vertically(30);
    draw_legend(&legend, |subject| bars().any(|(one, _)| *one == subject))?;
    let places = f64::from(u8::try_from(groups.len())?);
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Answers per second at 32 connections, the floor being 1",
            ("sans-serif", 16),
        )
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(65)
        .build_cartesian_2d(
            -0.5..places - 0.5,
            decades(bars().map(|(_, ratio)| *ratio).chain([1.0])).log_scale(),
        )?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(groups.len())
        .x_label_formatter(&|place| name_at(&groups, *place, |(load, _)| load.name().to_owned()))
        .y_label_formatter(&|value| value.to_string())
        .y_desc("times the floor")
        .draw()?;
    for (place, (_, bars)) in (0_u8..).zip(&groups) {
        let width = 0.8 / f64::from(u8::try_from(bars.len().max(1))?);
        for (number, (subject, ratio)) in (0_u8..).zip(bars) {
            let left = f64::from(place) - 0.4 + width * f64::from(number);
            let corners = [(left, 1.0), (left + width * 0.92, *ratio)];
            chart.draw_series([Rectangle::new(corners, color(*subject).filled())])?;
            let beyond = if *ratio < 1.0 { ratio / 1.02 } else { ratio * 1.2 };
            let label = Text::new(format!("{ratio:.2}"), (left, beyond), ("sans-serif", 10));
            chart.draw_series([label])?;
        }
    }
    chart.draw_series(LineSeries::new([(-0.5, 1.0), (places - 0.5, 1.0)], BLACK))?;
    Ok(area.present()?)
}

/// Draws panels beside each other.
fn draw_panels(panels: &[Panel], path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, (960, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let (legend, area) = area.split_vertically(30);
    let drawn = |subject| {
        let mut lines = panels.iter().flat_map(|panel| &panel.lines);
        lines.any(|(one, _)| *one == subject)
    };
    draw_legend(&legend, drawn)?;
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
    for (subject, values) in &panel.lines {
        let points = || (0_u8..).map(f64::from).zip(values.iter().copied());
        let color = color(*subject);
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

fn draw_legend(area: &Area, is_drawn: impl Fn(Subject) -> bool) -> Result<()> {
    let mut left = 20;
    for subject in Subject::ALL.into_iter().filter(|subject| is_drawn(*subject)) {
        let name = subject.name().replace('`', "");
        let length = i32::try_from(name.len())?;
        area.draw(&Rectangle::new(
            [(left, 10), (left + 12, 22)],
            color(subject).filled(),
        ))?;
        area.draw(&Text::new(name, (left + 17, 10), ("sans-serif", 13)))?;
        left += 40 + 7 * length;
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
