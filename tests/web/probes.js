// Questions the browser tests ask of the page; an object of functions that Playwright evaluates.
({
  /** A number that changes with the spectrogram's pixels. */
  picture() {
    const canvas = document.getElementById("spectrum");
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.reduce((sum, value, i) => (sum * 31 + value * (i % 251)) % 1000003, 7);
  },

  /** All that moves while sound comes. */
  moving() {
    const level = document.getElementById("meter-cover").style.transform;
    return [this.picture(), level, document.getElementById("clock").textContent];
  },

  /** The sample clock once the tempo is within 4 % of `bpm` and a genre leads. */
  judged(bpm) {
    const said = (name) => document.getElementById(name).textContent;
    const right = Math.abs(parseFloat(said("bpm")) / bpm - 1) <= 0.04;
    return right && document.querySelector(".leads") && said("clock");
  },

  /** Animation frames asked for in 1.5 s. */
  frames() {
    return new Promise((done) => {
      const real = window.requestAnimationFrame;
      let asked = 0;
      window.requestAnimationFrame = (draw) => {
        asked++;
        return real(draw);
      };
      setTimeout(() => {
        window.requestAnimationFrame = real;
        done(asked);
      }, 1500);
    });
  },

  /** Elements that stick out of the window at the sides, and how far it could be scrolled. */
  outside() {
    const width = window.innerWidth;
    const drawn = ".visually-hidden, canvas, svg *, .dial *";
    const boxes = [...document.body.querySelectorAll("*")].filter((e) => !e.matches(drawn) && e.getClientRects().length);
    const bad = boxes.filter((e) => {
      const { left, right } = e.getBoundingClientRect();
      return right > width + 0.5 || left < -0.5;
    });
    return { bad: bad.map((e) => e.id || e.className || e.tagName), scroll: document.documentElement.scrollWidth - width };
  },

  /** Texts whose contrast with what is behind them is below WCAG's AA for body text. */
  faint() {
    const channels = (css) => css.match(/[\d.]+/g).map(Number);
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const behind = (element) => {
      const colour = channels(getComputedStyle(element).backgroundColor);
      return colour[3] === 0 && element.parentElement ? behind(element.parentElement) : colour;
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    return [...document.body.querySelectorAll("*")].filter((e) => hasText(e) && e.getClientRects().length).flatMap((e) => {
      const pair = [luminance(channels(getComputedStyle(e).color)), luminance(behind(e))].sort((a, b) => b - a);
      const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
      return contrast < 4.5 ? [`${e.id || e.className}: ${contrast.toFixed(2)}`] : [];
    });
  },
})
