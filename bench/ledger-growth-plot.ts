import { spreadOf, type Repeated } from './measure.ts';

/** Cost per event at one size of the log, in microseconds. */
export interface GrowthPoint {
  readonly events: number;
  readonly processor: Repeated;
  readonly elapsed: Repeated;
}

const [width, height] = [720, 400];
const margin = { left: 64, right: 44, top: 76, bottom: 56 };
const series = [
  { key: 'processor', title: 'processor time', color: '#0b5fa5' },
  { key: 'elapsed', title: 'elapsed, 64 appenders', color: '#8a5a00' },
] as const;

/** The plot as a document of SVG 1.1: size of the log (decades) across, cost of an event upwards, from zero. */
export function growthPlot(points: readonly GrowthPoint[], verdict: string): string {
  const decades = points.map(({ events }) => Math.log10(events));
  const [low, high] = [Math.min(...decades), Math.max(...decades)];
  const most = Math.max(...points.flatMap(({ processor, elapsed }) => [processor.highest, elapsed.highest]));
  const step = niceStep(most / 5);
  const top = Math.ceil(most / step) * step;
  const x = (events: number) =>
    round(
      margin.left + ((Math.log10(events) - low) / (high - low || 1)) * (width - margin.left - margin.right),
    );
  const y = (microseconds: number) =>
    round(height - margin.bottom - (microseconds / top) * (height - margin.top - margin.bottom));
  const lines: string[] = [];
  for (let value = 0; value <= top; value += step) {
    lines.push(
      `<path d="M${margin.left} ${y(value)}H${width - margin.right}" stroke="#d8d8d8"/>`,
      text(margin.left - 8, y(value) + 4, `${value} µs`, 'end'),
    );
  }
  for (const { events } of points) {
    lines.push(text(x(events), height - margin.bottom + 20, events.toLocaleString('en-US'), 'middle'));
  }
  for (const [i, { key, title, color }] of series.entries()) {
    lines.push(text(margin.left + i * 130, 58, `● ${title}`, 'start', color));
    const path = points.map(
      (point, at) => `${at === 0 ? 'M' : 'L'}${x(point.events)} ${y(point[key].median)}`,
    );
    lines.push(`<path d="${path.join('')}" fill="none" stroke="${color}" stroke-width="2"/>`);
    for (const point of points) {
      const { lowest, highest, median } = point[key];
      lines.push(
        `<path d="M${x(point.events)} ${y(lowest)}V${y(highest)}" stroke="${color}"/>`,
        `<circle cx="${x(point.events)}" cy="${y(median)}" r="4" fill="${color}">` +
          `<title>${title}: ${round(median)} µs (${spreadOf(point[key])})</title></circle>`,
      );
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>Cost of a durable event by the size of the log</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(margin.left, 22, 'Cost of a durable event by the size of the log', 'start', '#222', 15),
    text(margin.left, 40, verdict, 'start', '#555'),
    ...lines,
    text((margin.left + width - margin.right) / 2, height - 12, 'events in the log', 'middle', '#555'),
    '</svg>',
    '',
  ].join('\n');
}

function text(x: number, y: number, content: string, anchor: string, color = '#444', size = 12): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${color}" font-size="${size}">${content}</text>`;
}

/** 1, 2 or 5 times a power of ten, at least `wanted`. */
function niceStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return ([1, 2, 5].find((factor) => factor * power >= wanted) ?? 10) * power;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
