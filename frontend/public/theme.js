// Runs before the first paint, so that a chosen theme never flashes.
(function () {
  try {
    var theme = localStorage.getItem('animatrix.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch (unavailable) {
    // Without storage the system's theme holds.
  }
})();
