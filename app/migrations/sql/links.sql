-- Cases that belong together. Each side learns that there is a link, its kind and who leads the other; nothing more.
SELECT;
