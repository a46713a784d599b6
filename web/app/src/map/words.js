// What the map says, in both languages.

const WORDS = {
  all: ["Tout voir", "Show all"],
  all_regions: ["Toutes les régions", "All regions"],
  any: ["Toutes les réponses", "Any answer"],
  answers: ["Filtrer par réponse", "Filter by answer"],
  answers_note: [
    "Un lieu qui n’a pas répondu, ou qui ne publie pas ses réponses, n’est pas montré quand un de ces filtres est posé.",
    "A place that did not answer, or does not publish its answers, is not shown while one of these filters is set.",
  ],
  approximate: ["Position approchée\u00a0: centre de la commune.", "Approximate position: centre of the commune."],
  back: ["Revenir aux lieux de la carte", "Back to the places of the map"],
  clear: ["Effacer les filtres", "Clear the filters"],
  close: ["Fermer", "Close"],
  controls: ["Déplacer la carte", "Move the map"],
  down: ["Vers le sud", "South"],
  failed: [
    "La carte interactive n’a pas pu être chargée\u00a0; la carte dessinée reste.",
    "The interactive map could not be loaded; the drawn map remains.",
  ],
  filters: ["Filtres", "Filters"],
  go_to: ["Aller à", "Go to"],
  go_closer: ["Zoomer sur ce lieu", "Zoom to this place"],
  help_mouse: [
    "Glissez pour déplacer, Ctrl et molette pour zoomer. Au clavier, quand la carte a le focus\u00a0: flèches, + et −. La liste contient les lieux visibles.",
    "Drag to move, Ctrl and wheel to zoom. By keyboard, while the map has the focus: arrows, + and −. The list holds the places in view.",
  ],
  help_touch: [
    "Deux doigts pour déplacer et zoomer, ou les boutons. La liste contient les lieux visibles.",
    "Two fingers to move and zoom, or the buttons. The list holds the places in view.",
  ],
  in: ["Zoomer", "Zoom in"],
  in_view: ["visibles", "in view"],
  here: ["Lieux à cet endroit", "Places at this spot"],
  kinds: ["Afficher", "Show"],
  left: ["Vers l’ouest", "West"],
  link: ["Lien vers ce lieu", "Link to this place"],
  loading: ["Chargement de la carte…", "Loading the map…"],
  map: ["Carte des lieux", "Map of the places"],
  next: ["Suivants", "Next"],
  no: ["non", "no"],
  none: ["Aucun lieu ici. Dézoomez, ou effacez les filtres.", "No place here. Zoom out, or clear the filters."],
  nowhere: ["sans position", "without a position"],
  of: ["sur", "of"],
  out: ["Dézoomer", "Zoom out"],
  outlines: [
    "Contours\u00a0: IGN, Admin Express, Licence Ouverte 2.0.",
    "Outlines: IGN, Admin Express, Licence Ouverte 2.0.",
  ],
  pages: ["Pages de la liste", "Pages of the list"],
  place: ["lieu", "place"],
  places: ["lieux", "places"],
  previous: ["Précédents", "Previous"],
  region: ["Région", "Region"],
  right: ["Vers l’est", "East"],
  search: ["Nom ou lieu", "Name or place"],
  up: ["Vers le nord", "North"],
  visible: ["Lieux visibles", "Places in view"],
  yes: ["oui", "yes"],
};

/** The words of a language, by key. */
export function words(language) {
  const at = language === "fr" ? 0 : 1;
  return Object.fromEntries(Object.entries(WORDS).map(([key, both]) => [key, both[at]]));
}
