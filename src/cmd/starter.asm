;! title    = "a method called through an interface"
;! heap     = "iface"                   ; what one iteration gets: rax = itab, rbx = pointer to an object
;! types    = "main.T{t}"               ; the dynamic types: main.T0, main.T1, ...
;! methods  = ["Id"]                    ; the interface's methods: what the itab points to
;! params   = { targets = 1, order = "same", objects = 64 }
;! result   = "eax"                     ; where the body leaves its result,
;! expect   = "id+type"                 ; and what it must be: object j's id is j + 1, type t's number t + 1
;! clobbers = "all"                     ; the body may use every register but rsp
;! dispatch = "site"
;! expand   = true                      ; minijinja: the loop below writes a method for each type
body:                                   ; one iteration; this is what is measured
        mov  rcx, [rax + 24]            ; the first method of the itab
        mov  rax, rbx                   ; the receiver, where Go passes it
site:   call rcx
{% for t in range(targets) %}
func "main.(*T{{ t }}).Id":
        mov  eax, [rax]                 ; the object's id
        add  eax, {{ t + 1 }}
        ret
{% endfor %}
