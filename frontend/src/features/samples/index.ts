/** What the rest of the studio may use of the samples. */
export type { Sample } from './api/demo';
export { SampleDialog, Samples } from './components/Samples';
