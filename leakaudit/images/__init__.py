"""
Image sources: where pixels come from, by the contract of `dataset.Images`.

    files.py      image files, decoded by a pool of threads when they are asked for
    decoding.py   one file to 8-bit RGB
    decoded.py    image files decoded once, their pixels kept on disk
    dicom.py      one DICOM file to 8-bit RGB, and what its header says
    shades.py     what is shown of a DICOM file's values
    codestreams.py  the size that a compressed image says it has
    arrays.py     arrays of images, one after another
    cifar.py      CIFAR's own files
    paired.py     files whose names say target and bias
    synsets.py    ImageNet's class folders
    tensors.py    arrays of bytes or numbers, and vectors
    stored.py     arrays on disk, whose rows are read where they lie
    embedded.py   image files inside larger files, as Hugging Face saves them
"""
