/** Opens the advanced drawer; a dot says that something in it is set. */
import { SlidersHorizontal } from 'lucide-react';
import { strings } from '@/strings';
import { DEFAULT_SETTINGS } from '../model/draft';
import { useComposer } from '../model/store';
import { chipButton } from './looks';

interface AdvancedButtonProps {
  open: boolean;
  onToggle: () => void;
}

export function AdvancedButton({ open, onToggle }: AdvancedButtonProps) {
  const settings = useComposer((s) => s.settings);
  const { aspect, quality, ...rest } = settings;
  const touched = JSON.stringify({ ...DEFAULT_SETTINGS, ...rest, aspect, quality });
  const untouched = JSON.stringify({ ...DEFAULT_SETTINGS, aspect, quality });
  return (
    <button
      type="button"
      aria-expanded={open}
      aria-controls="advanced"
      onClick={onToggle}
      className={chipButton}
    >
      <SlidersHorizontal aria-hidden size={15} />
      {strings.composer.advanced}
      {touched !== untouched && <span className="size-1.5 rounded-full bg-accent" />}
    </button>
  );
}
