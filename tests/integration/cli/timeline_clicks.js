/* What a person would do with a timeline; what came of it is written to the root element, where the test reads it. */
(function () {
	'use strict';
	var svg = document.querySelector('svg.timeline'), say = function (name, value) {
		svg.setAttribute('data-' + name, value);
	};
	var bars = [].slice.call(svg.querySelectorAll('svg.b'));
	var by_name = function (name) {
		return bars.filter(function (b) { return b.getAttribute('data-name') === name; })[0];
	};
	var shown = function () {
		return bars.filter(function (b) { return b.style.display !== 'none'; }).length;
	};
	var width = function (b) { return Math.round(parseFloat(b.getAttribute('width'))); };
	var query = by_name('authenticate'), input = svg.querySelector('input');
	say('controls', svg.querySelector('.controls').getAttribute('visibility'));
	say('before', shown() + '/' + width(query) + '%');
	input.value = 'QUERY';
	input.dispatchEvent(new Event('input'));
	say('found', svg.querySelector('.found').textContent + '/' + svg.querySelectorAll('.hit').length);
	query.dispatchEvent(new MouseEvent('mouseenter'));
	say('details', svg.querySelector('.details').textContent);
	window.requestAnimationFrame = function (draw) { draw(); };
	query.dispatchEvent(new MouseEvent('dblclick', {bubbles: true}));
	say('zoomed', shown() + '/' + width(query) + '%/' + query.querySelector('text').textContent);
	var r = svg.getBoundingClientRect();
	svg.dispatchEvent(new WheelEvent('wheel', {deltaY: 4000, clientX: r.left + r.width / 2, cancelable: true}));
	say('wheeled', shown() + '/' + width(query) + '%');
	query.dispatchEvent(new MouseEvent('dblclick', {bubbles: true}));
	svg.dispatchEvent(new PointerEvent('pointerdown', {clientX: r.left + r.width * 0.1, bubbles: true}));
	window.dispatchEvent(new PointerEvent('pointermove', {clientX: r.left + r.width * 0.6}));
	window.dispatchEvent(new PointerEvent('pointerup', {}));
	say('moved', Math.round(parseFloat(query.getAttribute('x'))) + '%');
	input.value = '';
	input.dispatchEvent(new Event('input'));
	document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}));
	say('reset', shown() + '/' + width(query) + '%');
})();
