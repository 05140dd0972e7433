/** What a share link shows to people who are not signed in; loaded only when one is opened. */
export { Shared } from './components/Shared';
