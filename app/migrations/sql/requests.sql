-- What holders are asked about data: erasure, correction; withdrawal of consent; a wrong version taken back.
SELECT;
