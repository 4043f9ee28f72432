/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a browser does with a flame graph. Zoom: the frame that is clicked becomes as wide as the picture, what is above it on its stack stays beneath it in
 * full width. Search: frames whose name holds the words, small and capital letters alike, and the share of the width that they take, what is above another one
 * counted once.
 */
#include "flame_svg.h"

const char flame_svg_style[] =
    "\nsvg.flame{font:12px system-ui,sans-serif;color-scheme:light dark;-webkit-text-size-adjust:none}"
    "\nsvg.flame text{fill:#222}svg.flame .paper{fill:#fff}"
    "\nsvg.flame .title{font-size:15px;font-weight:600}svg.flame .remarks,svg.flame .found{fill:#555}"
    "\nsvg.flame .f{cursor:pointer;overflow:hidden}svg.flame .f text{pointer-events:none;fill:#111}"
    "\nsvg.flame .warm{fill:hsl(var(--h) 92% 70%)}svg.flame .same{fill:#ddd}"
    "\nsvg.flame .more{fill:hsl(4 85% calc(92% - var(--c)*.34%))}"
    "\nsvg.flame .less{fill:hsl(212 85% calc(92% - var(--c)*.34%))}"
    "\nsvg.flame .f:hover rect{stroke:#000;stroke-width:1.5}"
    "\nsvg.flame .up rect{opacity:.55}svg.flame .hit rect{fill:#b06cf0}svg.flame .reset{cursor:pointer;text-decoration:underline}"
    "\nsvg.flame input{box-sizing:border-box;width:100%;font:inherit;padding:2px 6px}"
    "\n@media (prefers-color-scheme:dark){svg.flame text{fill:#ddd}svg.flame .paper{fill:#16181c}"
    "\nsvg.flame .remarks,svg.flame .found{fill:#aaa}svg.flame .f text{fill:#f4f4f4}"
    "\nsvg.flame .warm{fill:hsl(var(--h) 55% 34%)}svg.flame .same{fill:#44484f}"
    "\nsvg.flame .more{fill:hsl(4 60% calc(22% + var(--c)*.24%))}"
    "\nsvg.flame .less{fill:hsl(212 60% calc(22% + var(--c)*.24%))}"
    "\nsvg.flame .f:hover rect{stroke:#fff}svg.flame .hit rect{fill:#8034c8}}\n";

const char flame_svg_script[] =
    "\n(function(){'use strict';"
    "\nfunction start(svg){"
    "\nvar all=[].map.call(svg.querySelectorAll('svg.f'),function(e){return{e:e,name:e.getAttribute('data-name'),"
    "x:parseFloat(e.getAttribute('x')),w:parseFloat(e.getAttribute('width')),y:+e.getAttribute('y'),"
    "text:e.querySelector('text'),about:e.querySelector('title').textContent};});"
    "\nvar get=function(c){return svg.querySelector(c);},zoomed=null;"
    "\nvar details=get('.details'),found=get('.found'),reset=get('.reset'),input=get('input');"
    "\nfunction fit(f,w){var room=Math.floor((svg.getBoundingClientRect().width*w/100-8)/6.4);"
    "\nf.text.textContent=room<3?'':f.name.length>room?f.name.slice(0,room-1)+'\\u2026':f.name;}"
    "\nfunction draw(){var z=zoomed;"
    "\nall.forEach(function(f){var x=f.x,w=f.w,up=false,gone=false;"
    "\nif(z){up=f.y>z.y&&f.x<=z.x+1e-4&&f.x+f.w>=z.x+z.w-1e-4;"
    "\nx=up?0:(f.x-z.x)/z.w*100;w=up?100:f.w/z.w*100;"
    "\ngone=!up&&(f.y>z.y||(f.y===z.y&&f!==z)||x>=100-1e-4||x+w<=1e-4);}"
    "\nf.e.style.display=gone?'none':'';f.e.classList.toggle('up',up);"
    "\nif(gone)return;f.e.setAttribute('x',x+'%');f.e.setAttribute('width',w+'%');fit(f,w);});"
    "\nreset.setAttribute('visibility',z?'visible':'hidden');}"
    "\nfunction zoom(f){zoomed=f&&f.w<100-1e-4?f:null;draw();}"
    "\nfunction search(){var word=input.value.trim().toLowerCase(),hits=[],sum=0,end=-1;"
    "\nall.forEach(function(f){var hit=word!==''&&f!==all[0]&&f.name.toLowerCase().indexOf(word)>=0;"
    "\nf.e.classList.toggle('hit',hit);if(hit)hits.push(f);});"
    "\nhits.sort(function(a,b){return a.x-b.x||b.w-a.w;});"
    "\nhits.forEach(function(f){var from=Math.max(f.x,end),to=f.x+f.w;if(to>from){sum+=to-from;end=to;}});"
    "\nfound.textContent=word===''?'':hits.length+' found, '+sum.toFixed(1)+' %';}"
    "\nall.forEach(function(f){"
    "\nf.e.addEventListener('click',function(){zoom(f);});"
    "\nf.e.addEventListener('mouseenter',function(){details.textContent=f.about;});"
    "\nf.e.addEventListener('mouseleave',function(){details.textContent='';});});"
    "\nreset.addEventListener('click',function(){zoom(null);});"
    "\ninput.addEventListener('input',search);"
    "\ndocument.addEventListener('keydown',function(e){if(e.key==='Escape'){if(input.value){input.value='';search();}else zoom(null);}});"
    "\nwindow.addEventListener('resize',draw);"
    "\nget('.controls').setAttribute('visibility','visible');draw();}"
    "\n[].forEach.call(document.querySelectorAll('svg.flame'),start);})();\n";
