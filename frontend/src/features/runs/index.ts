/** What the rest of the studio may use of the runs. */
export { getOutputs, getPlan } from './api/jobs';
export { listen } from './api/live';
export { BusyNotice } from './components/BusyNotice';
export { ConnectionBar } from './components/ConnectionBar';
export { FilterMenu } from './components/FilterMenu';
export { Gallery } from './components/Gallery';
export { SearchField } from './components/SearchField';
export type { CardActions, Frame } from './components/RunCard';
export { loadFirst, refresh } from './model/loading';
export { forgetOrders, order, resendAll } from './model/outbox';
export { FACES, hasEnded, isRunning, type Run } from './model/run';
export { copyLink, downloadUrl } from './model/sharing';
export { isNarrowed, useRuns } from './model/store';
export { firstPlace } from './model/words';
