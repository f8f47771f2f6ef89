;! title    = "the book's benchmark, direct: a method that returns the receiver's id"
;! heap     = "pointer"
;! types    = "main.id32"
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Overhead"

; The book calls it on one receiver, and on 2097152 receivers one after the other, every 32nd of
; them, and at random. Here the walk holds the pointers in the order of the visits, so its load is always
; sequential, in the empty iteration (`baseline`) as in the full one; the book loads an index and,
; from a slice of pointers, at random.

body:                                   ; rax = *id32
{% if abi == "register" %}
site:   call "main.(*id32).idNoInline"

func "main.(*id32).idNoInline":
        mov  eax, [rax]
        ret
{% else %}
        mov  [rsp], rax
site:   call "main.(*id32).idNoInline"
        mov  eax, [rsp + 8]

func "main.(*id32).idNoInline":
        mov  rax, [rsp + 8]
        mov  eax, [rax]
        mov  [rsp + 16], eax
        ret
{% endif %}
