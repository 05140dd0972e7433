/** The state of one video element and what can be done with it. */
import { type RefObject, useEffect, useState } from 'react';

export interface Playback {
  playing: boolean;
  at: number;
  length: number;
  loop: boolean;
  muted: boolean;
  speed: number;
  toggle: () => void;
  seek: (at: number) => void;
  step: (frames: number) => void;
  setLoop: (loop: boolean) => void;
  setMuted: (muted: boolean) => void;
  setSpeed: (speed: number) => void;
}

export function usePlayback(videoRef: RefObject<HTMLVideoElement | null>, fps: number): Playback {
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState(0);
  const [loop, setLoop] = useState(true);
  const [muted, setMuted] = useState(false);
  const [speed, setSpeed] = useState(1);

  useEffect(() => {
    const element = videoRef.current;
    if (!element) return;
    const stop = new AbortController();
    const on = (name: string, act: () => void) =>
      element.addEventListener(name, act, { signal: stop.signal });
    let ticking = 0;
    const measure = () => setLength(Number.isFinite(element.duration) ? element.duration : 0);
    const tick = () => {
      setAt(element.currentTime);
      ticking = requestAnimationFrame(tick);
    };
    on('play', () => {
      setPlaying(true);
      cancelAnimationFrame(ticking);
      tick();
    });
    on('pause', () => {
      setPlaying(false);
      cancelAnimationFrame(ticking);
      setAt(element.currentTime);
    });
    on('seeked', () => setAt(element.currentTime));
    on('durationchange', measure);
    // The element may have been quicker than this effect.
    measure();
    if (!element.paused) {
      setPlaying(true);
      tick();
    }
    on('volumechange', () => setMuted(element.muted));
    return () => {
      stop.abort();
      cancelAnimationFrame(ticking);
    };
  }, [videoRef]);

  useEffect(() => {
    if (!videoRef.current) return;
    videoRef.current.loop = loop;
    videoRef.current.muted = muted;
    videoRef.current.playbackRate = speed;
  }, [videoRef, loop, muted, speed]);

  const seek = (to: number) => {
    const element = videoRef.current;
    if (element) element.currentTime = Math.min(Math.max(to, 0), element.duration || 0);
  };
  return {
    playing,
    at,
    length,
    loop,
    muted,
    speed,
    toggle: () => {
      const element = videoRef.current;
      if (!element) return;
      if (element.paused) void element.play();
      else element.pause();
    },
    seek,
    step: (frames) => {
      videoRef.current?.pause();
      // Into the middle of the frame, so that rounding never lands on its neighbour.
      const frame = Math.floor((videoRef.current?.currentTime ?? 0) * fps + 1e-3) + frames;
      seek((Math.max(0, frame) + 0.5) / fps);
    },
    setLoop,
    setMuted,
    setSpeed,
  };
}
