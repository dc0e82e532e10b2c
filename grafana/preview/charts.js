// Runs in the page: draws each time series with uPlot, and its legend.

/* global uPlot */

const HUES = ['green', 'yellow', 'blue', 'orange', 'red', 'purple', 'teal', 'pink', 'olive', 'sky'];
const SHADES = [100, 65, 40];

const style = getComputedStyle(document.documentElement);
const themed = (name) => style.getPropertyValue(`--${name}`).trim();

/** As many colors as there are series; the first ten are distinct. */
function colorOf(index) {
  const share = SHADES[Math.floor(index / HUES.length) % SHADES.length];
  return `color-mix(in srgb, ${themed(HUES[index % HUES.length])} ${share}%, ${themed('text')})`;
}

function formatted(unit) {
  return (value) => {
    switch (unit) {
      case 'percentunit':
        return `${Math.round(value * 100)}%`;
      case 'bytes':
        return value < 2 ** 40 ? `${Number((value / 2 ** 30).toFixed(1))} GiB` : `${value / 2 ** 40} TiB`;
      case 's':
        return value < 1 ? `${Number((value * 1_000).toFixed(1))} ms` : `${value} s`;
      default:
        return String(value);
    }
  };
}

/** Each series on top of the previous ones, except for limits. */
function stackedValues(series) {
  const sums = [];
  return series.map(({ values, isLimit }) =>
    values.map((value, index) => {
      if (isLimit) {
        return value;
      }
      sums[index] = (sums[index] ?? 0) + (value ?? 0);
      return value === null ? null : sums[index];
    }),
  );
}

/** Tick distances that are whole numbers of the unit. */
const INCREMENTS = {
  bytes: Array.from({ length: 24 }, (_, power) => 2 ** (20 + power)),
};

function draw({ id, times, series, stacked, stepped, fill, min, unit, lines }) {
  const element = document.getElementById(`chart-${id}`);
  const legend = document.createElement('table');
  legend.className = 'legend';
  legend.innerHTML = '<thead><tr><th>Name</th><th>Last *</th><th>Max</th></tr></thead>';
  for (const [index, { name, last, max }] of series.entries()) {
    const row = legend.insertRow();
    row.insertCell().innerHTML = `<i style="background:${colorOf(index)}"></i>`;
    row.cells[0].append(name);
    row.insertCell().textContent = last;
    row.insertCell().textContent = max;
  }
  const plot = document.createElement('div');
  element.append(plot, legend);
  const { width, height } = plot.getBoundingClientRect();
  const values = stacked ? stackedValues(series) : series.map((one) => one.values);
  const peak = Math.max(...values.flat().map(Number), ...lines.map(({ value }) => value));
  const grid = { stroke: themed('grid'), width: 1 };
  const axis = { stroke: themed('muted'), grid, ticks: { show: false }, font: '12px Inter, sans-serif' };
  const line = (_, index) => ({
    stroke: colorOf(index),
    width: 1.5,
    points: { show: false },
    ...(stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
    ...(series[index].isLimit
      ? { dash: [10, 8] }
      : fill > 0 && { fill: `color-mix(in srgb, ${colorOf(index)} ${fill}%, ${themed('panel')})` }),
  });
  const order = stacked ? [...series.keys()].reverse() : [...series.keys()];
  new uPlot(
    {
      width,
      height,
      legend: { show: false },
      cursor: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'UTC'),
      scales: { y: { range: (_, low, high) => [min ?? low, Math.max(high, peak) * 1.05 || 1] } },
      axes: [
        {
          ...axis,
          values: (_, ticks) => ticks.map((at) => new Date(at * 1_000).toISOString().slice(11, 16)),
        },
        {
          ...axis,
          size: 70,
          values: (_, ticks) => ticks.map(formatted(unit)),
          ...(unit in INCREMENTS && { incrs: INCREMENTS[unit] }),
        },
      ],
      series: [{}, ...order.map((index) => line(undefined, index))],
      hooks: {
        draw: [
          ({ ctx, bbox, valToPos }) => {
            for (const { value, color } of lines) {
              const y = valToPos(value, 'y', true);
              ctx.strokeStyle = themed(color);
              ctx.lineWidth = 1.5;
              ctx.setLineDash([10, 8]);
              ctx.beginPath();
              ctx.moveTo(bbox.left, y);
              ctx.lineTo(bbox.left + bbox.width, y);
              ctx.stroke();
            }
            ctx.setLineDash([]);
          },
        ],
      },
    },
    [times, ...order.map((index) => values[index])],
    plot,
  );
}

for (const chart of globalThis.charts) {
  draw(chart);
}
