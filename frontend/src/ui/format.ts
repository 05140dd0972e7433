/** Numbers and times as a person reads them. Pure. */
import { strings } from '@/strings';

export function seconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** Minutes and seconds, for players and chips. */
export function clock(value: number): string {
  const whole = Math.max(0, Math.round(value));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

export function bytes(value: number): string {
  if (value >= 1024 ** 3) return `${(value / 1024 ** 3).toFixed(1)} ${strings.format.gb}`;
  if (value >= 1024 ** 2) return `${(value / 1024 ** 2).toFixed(0)} ${strings.format.mb}`;
  return `${Math.max(1, Math.round(value / 1024))} ${strings.format.kb}`;
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

export function ago(iso: string, now = Date.now()): string {
  const passed_s = (now - Date.parse(iso)) / 1000;
  for (const [unit, length_s] of STEPS) {
    if (passed_s >= length_s) return relative.format(-Math.floor(passed_s / length_s), unit);
  }
  return strings.format.justNow;
}

export function exact(iso: string): string {
  return new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}
